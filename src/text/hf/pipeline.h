#pragma once

#include <deque>

#include "text/hf/normaliser.h"
#include "text/hf/splitter.h"
#include "text/tokenizer.h"
#include "text/tokenizers/merge.h"
#include "text/tokenizers/sentencepiece_unigram.h"
#include "text/tokenizers/word_cache.h"
#include "text/tokenizers/word_piece.h"

namespace bantam::hf {

// The model of a tokenizer.json: a piece of text to token ids.
class SubwordModel {
 public:
  virtual ~SubwordModel() = default;
  virtual void encode(std::string_view piece, std::vector<int32_t>& out) const = 0;
};

// Throws ErrorKind::format where merges name tokens that there are not.
std::unique_ptr<SubwordModel> make_model(const Description& d, std::string_view where);

// What each token contributes to a text according to the decoders, and whether a space at the
// start of the whole text goes.
struct Pieces {
  std::vector<std::string> texts;
  bool strip_start = false;
};
Pieces decoded_pieces(const Description& d, std::string_view where);

// A tokenizer.json carried out as it stands (GGUF model "tokenizer.json"): added tokens, then the
// normalizers, pre-tokenizers and model that it describes, and its post-processor's frame.
class PipelineTokenizer final : public Tokenizer {
 public:
  PipelineTokenizer(TokenizerSpec spec, const Description& d, std::string_view where);

 private:
  void encode_text(std::string_view text, bool parse_special,
                   std::vector<int32_t>& out) const override;
  void encode_plain(std::string_view text, std::vector<int32_t>& out) const override;
  void encode_section(std::string_view text, bool first, bool parse_special,
                      std::vector<int32_t>& out) const;
  void encode_normalised(std::string_view text, bool first, std::vector<int32_t>& out) const;

  // Added tokens that are looked for in the text as it comes, and in the normalised text; the
  // second of each pair without the special ones.
  SpecialMatcher raw_[2], normalised_[2];
  NormaliserChain normalise_;
  Splitter splitter_;
  std::unique_ptr<SubwordModel> model_;
  WordCache cache_;
};

}  // namespace bantam::hf
