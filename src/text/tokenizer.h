#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer_spec.h"
#include "text/tokenizers/special_matcher.h"
#include "text/tokenizers/token_index.h"

namespace bantam {

struct EncodeOptions {
  bool special = true;        // put BOS and EOS around the text if the model asks for them
  bool parse_special = true;  // recognise control tokens (<|im_end|>) that are written in the text
};

struct DecodeOptions {
  bool special = false;            // show control and unknown tokens as they are spelled
  bool strip_space_prefix = true;  // drop the space that encode put before the text; false when
                                   // the ids continue a text
};

// Text to token ids and back. Immutable and safe to use from many threads.
//
//   auto tokenizer = make_tokenizer(spec);
//   std::vector<int32_t> ids = tokenizer->encode("Once upon a time");
//   std::string text = tokenizer->decode(ids);
//
// Any bytes can be encoded, valid UTF-8 or not; decoding gives the same bytes back, unless the
// vocabulary lacks a token for some byte: that byte becomes the unknown token or, if there is none,
// nothing. (SentencePiece cannot tell U+2581 from a space either.) Encoding n bytes takes O(n log
// n) time whatever they are.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  [[nodiscard]] std::vector<int32_t> encode(std::string_view text,
                                            EncodeOptions options = {}) const;
  [[nodiscard]] std::string decode(std::span<const int32_t> ids, DecodeOptions options = {}) const;

  // The bytes that a token stands for: " the", "\n", "\xC3"; control tokens as spelled, "<s>".
  // Throws ErrorKind::usage for an id outside the vocabulary.
  [[nodiscard]] std::string_view piece(int32_t id) const;
  [[nodiscard]] TokenType type(int32_t id) const;

  // The token that is spelled exactly so in the vocabulary ("<|im_end|>", "Ġthe").
  [[nodiscard]] std::optional<int32_t> find(std::string_view spelled) const;

  [[nodiscard]] int32_t vocab_size() const { return static_cast<int32_t>(spec_.tokens.size()); }
  [[nodiscard]] int32_t bos() const { return spec_.bos; }  // -1 for none
  [[nodiscard]] int32_t eos() const { return spec_.eos; }
  [[nodiscard]] int32_t unk() const { return spec_.unk; }
  [[nodiscard]] int32_t pad() const { return spec_.pad; }
  [[nodiscard]] const TokenizerSpec& spec() const { return spec_; }

 protected:
  explicit Tokenizer(TokenizerSpec spec);

  // Fills the piece of every token and the table of special tokens; for the derived constructor.
  void set_pieces(StringTable pieces);
  [[nodiscard]] TokenType type_unchecked(size_t id) const {
    return spec_.types.empty() ? TokenType::normal : spec_.types[id];
  }

  // Appends the tokens of a text; special tokens in it are recognised, control tokens on request.
  virtual void encode_text(std::string_view text, bool parse_special,
                           std::vector<int32_t>& out) const;
  // Appends the special tokens that the matcher finds and hands on what lies between them.
  void split_special(const SpecialMatcher& matcher, std::string_view text,
                     std::vector<int32_t>& out,
                     const std::function<void(std::string_view)>& on_fragment) const;
  // Appends the tokens of a text that holds no special tokens.
  virtual void encode_plain(std::string_view text, std::vector<int32_t>& out) const = 0;

  TokenizerSpec spec_;
  TokenIndex index_;                     // spelling -> id
  bool are_unique_ = true;               // spellings
  std::vector<int32_t> before_, after_;  // what encode() puts around a text
  // Where decode() drops a leading space: the space that encode() added.
  enum class Strip { never, at_start, after_special } strip_ = Strip::never;
  std::vector<bool> single_word_;  // V or empty: special only where no letter or digit is beside it

 private:
  friend class StreamDecoder;
  void decode_one(int32_t id, const DecodeOptions& options, bool& after_special,
                  std::string& out) const;

  StringTable pieces_;
  SpecialMatcher specials_;  // control, unknown and user-defined tokens
  SpecialMatcher user_defined_;
  std::vector<bool> strips_left_, strips_right_;  // V, or empty
};

// Checks the specification (see check_tokenizer_spec; merges must refer to tokens) and builds the
// tables. Throws ErrorKind::format.
std::unique_ptr<Tokenizer> make_tokenizer(TokenizerSpec spec, std::string_view where = "tokenizer");

// Turns tokens into text one at a time, for printing while a model generates. What it returns is
// always whole, valid UTF-8: a character that spans tokens appears with its last byte, and bytes
// that form no character appear as U+FFFD. The tokenizer must outlive it.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer, DecodeOptions options = {})
      : tokenizer_(tokenizer), options_(options), after_special_(options.strip_space_prefix) {}

  std::string push(int32_t id);
  std::string finish();  // what was held back; the decoder can then be used for another text

 private:
  const Tokenizer& tokenizer_;
  DecodeOptions options_;
  bool after_special_;
  std::string held_;
};

}  // namespace bantam
