#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace bantam {

// Letters, digits, apostrophes and every byte of a character beyond ASCII.
inline bool in_word(char c) {
  const auto u = static_cast<unsigned char>(c);
  return u >= 0x80 || (u >= '0' && u <= '9') || ((u | 0x20) >= 'a' && (u | 0x20) <= 'z') ||
         c == '\'';
}

inline bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

// The pieces of a vocabulary in the order of their bytes, so that those which begin alike lie side
// by side: what can follow a half-typed word is a range. A rank is a place in that order. Control
// and unknown tokens have none: they end a text. The tokenizer must outlive it.
class WordPieces {
 public:
  explicit WordPieces(const Tokenizer& tokenizer);

  struct Range {
    uint32_t begin = 0, end = 0;
  };
  [[nodiscard]] uint32_t size() const { return static_cast<uint32_t>(ids_.size()); }
  [[nodiscard]] int32_t id(uint32_t rank) const { return ids_[rank]; }
  [[nodiscard]] std::string_view piece(uint32_t rank) const { return tokenizer_.piece(ids_[rank]); }
  // The ranks of pieces that begin with a text, and of those that are it.
  [[nodiscard]] Range starting_with(std::string_view text) const;
  [[nodiscard]] Range equal_to(std::string_view text) const;
  // Tokens without a rank.
  [[nodiscard]] std::span<const int32_t> ends() const { return ends_; }

  // Whether a piece is of the characters of words only, or that after a space; whether it cannot
  // go on with a word.
  [[nodiscard]] bool goes_on(uint32_t rank) const { return kinds_[rank] == Kind::goes_on; }
  [[nodiscard]] bool begins_word(uint32_t rank) const { return kinds_[rank] == Kind::begins_word; }
  [[nodiscard]] bool is_boundary(uint32_t rank) const { return kinds_[rank] >= Kind::begins_word; }

 private:
  enum class Kind : uint8_t { goes_on, mixed, begins_word, boundary };
  static Kind kind_of(std::string_view piece);

  const Tokenizer& tokenizer_;
  std::vector<int32_t> ids_;
  std::vector<Kind> kinds_;
  std::vector<int32_t> ends_;
};

}  // namespace bantam
