#pragma once

#include <cstdint>
#include <string_view>

#include "text/unicode.h"

// What the hand-written scanners of pre-tokenisation share.
namespace bantam::scan {

struct Character {
  char32_t value;
  uint32_t size;  // 0 past the end
  uint8_t kind;

  [[nodiscard]] bool is(uint8_t mask) const { return (kind & mask) != 0; }
  [[nodiscard]] bool is_newline() const { return value == '\n' || value == '\r'; }
  // [^\s\p{L}\p{N}]
  [[nodiscard]] bool is_other() const { return size != 0 && !is(kSpace | kLetter | kNumber); }
};

inline Character at(std::string_view text, size_t position) {
  if (position >= text.size()) return {kInvalidCodePoint, 0, 0};
  const CodePoint c = decode_utf8(text, position);
  return {c.value, c.size, character_class(c.value)};
}

// The end of the longest run of characters that satisfy the predicate.
template <typename Predicate>
size_t run(std::string_view text, size_t position, Predicate predicate) {
  while (position < text.size()) {
    const Character c = at(text, position);
    if (!predicate(c)) break;
    position += c.size;
  }
  return position;
}

inline size_t run_of(std::string_view text, size_t position, uint8_t mask) {
  return run(text, position, [mask](const Character& c) { return c.is(mask); });
}

// `pattern+` as a stage of its own: runs of matching characters and the gaps between them.
template <typename Predicate>
size_t run_or_gap(std::string_view text, size_t position, Predicate predicate) {
  const bool inside = predicate(at(text, position));
  return run(text, position, [&](const Character& c) { return predicate(c) == inside; });
}

// A single matching character, or the gap up to the next one.
template <typename Predicate>
size_t single_or_gap(std::string_view text, size_t position, Predicate predicate) {
  const Character first = at(text, position);
  if (predicate(first)) return position + first.size;
  return run(text, position, [&](const Character& c) { return !predicate(c); });
}

// match(text, position) gives the end of a match or `position`; where there is none, the gap up to
// the next match is a piece.
template <typename Match>
size_t match_or_gap(std::string_view text, size_t position, Match match) {
  if (const size_t end = match(text, position); end > position) return end;
  for (size_t i = position + at(text, position).size; i < text.size(); i += at(text, i).size) {
    if (match(text, i) > i) return i;
  }
  return text.size();
}

}  // namespace bantam::scan
