#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer_spec.h"

namespace bantam {

// The compiled normalisation of a SentencePiece model: a map from byte sequences to their
// replacements in a double array (S. Kanda 2018, as darts-clone lays it out), used by longest
// match.
class Charsmap {
 public:
  Charsmap() = default;
  // u32 size of the array, its units, then the replacements, each ended by a zero byte. Throws
  // ErrorKind::format when the parts do not fit; what lies inside is checked as it is used.
  Charsmap(std::string_view blob, std::string_view where);

  struct Match {
    std::string_view text;  // what replaces the bytes
    size_t size;            // how many bytes were matched, 0 for none
  };
  [[nodiscard]] Match longest(std::string_view text) const;
  [[nodiscard]] bool empty() const { return units_.empty(); }

 private:
  std::vector<uint32_t> units_;
  std::string replacements_;
};

// What SentencePiece does to a text before it looks for tokens (normalizer.cc of SentencePiece):
// the compiled map, superfluous spaces, the added space, U+2581 for spaces. Malformed bytes stay.
class SentencePieceNormaliser {
 public:
  SentencePieceNormaliser(const TokenizerSpec& spec, std::string_view where);

  [[nodiscard]] std::string operator()(std::string_view text) const;

 private:
  Charsmap charsmap_;
  bool prefix_, suffix_, remove_extra_;
};

// The text with U+2581 for each space, as SentencePiece spells tokens.
std::string mark_spaces(std::string_view text);
// And back.
std::string unmark_spaces(std::string_view text);

// Where the word that starts at `begin` ends: before the next space mark that follows other text.
size_t marked_word_end(std::string_view text, size_t begin);

// The byte that a token such as "<0x0A>" spells, or -1.
int byte_token_value(std::string_view spelled);

}  // namespace bantam
