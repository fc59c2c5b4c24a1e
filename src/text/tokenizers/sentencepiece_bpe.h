#pragma once

#include <array>

#include "text/tokenizer.h"
#include "text/tokenizers/merge.h"
#include "text/tokenizers/sentencepiece_normaliser.h"
#include "text/tokenizers/word_cache.h"

namespace bantam {

// SentencePiece BPE with byte fallback (Kudo & Richardson 2018; GGUF model "llama"): spaces become
// U+2581, the text starts as one symbol per character, and the neighbours whose join is the token
// of highest score merge first. Characters without a token become their bytes <0xXX>.
class SentencePieceBpe final : public Tokenizer {
 public:
  // The specification must have passed check_tokenizer_spec.
  SentencePieceBpe(TokenizerSpec spec, std::string_view where);

 private:
  void encode_plain(std::string_view text, std::vector<int32_t>& out) const override;
  void encode_word(std::string_view word, SymbolMerger& merger, std::vector<int32_t>& out) const;
  [[nodiscard]] int32_t find_normal(std::string_view text) const;
  void set_ranks();

  SentencePieceNormaliser normalise_;
  std::array<int32_t, 256> byte_tokens_;
  std::vector<uint32_t> ranks_;  // V: by descending score, equal scores alike
  TokenIndex normal_;            // spelling -> id, normal tokens only
  size_t longest_ = 0;           // bytes of the longest normal token
  // No token has a space after another character, so words merge independently.
  bool words_are_separate_ = true;
  WordCache cache_;
};

}  // namespace bantam
