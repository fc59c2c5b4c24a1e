#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bantam {

// What decode_utf8 reports for a byte that begins no well-formed sequence.
inline constexpr char32_t kInvalidCodePoint = 0xFFFFFFFF;
inline constexpr char32_t kReplacementCharacter = 0xFFFD;

// One step through UTF-8: the code point and the bytes it took (1..4). Overlong forms, surrogates,
// values above U+10FFFF and truncated sequences give {kInvalidCodePoint, 1}.
struct CodePoint {
  char32_t value;
  uint32_t size;
};

CodePoint decode_utf8_multibyte(std::string_view text, size_t position);

// `position` must lie inside the text.
inline CodePoint decode_utf8(std::string_view text, size_t position) {
  const auto first = static_cast<unsigned char>(text[position]);
  if (first < 0x80) return {first, 1};
  return decode_utf8_multibyte(text, position);
}

// Appends the code point; what is no Unicode scalar value is written as U+FFFD.
void append_utf8(std::string& out, char32_t code_point);

bool is_valid_utf8(std::string_view text);

// A copy in which every malformed byte is replaced by U+FFFD.
std::string to_valid_utf8(std::string_view text);

// The number of bytes (0..3) at the end that begin a well-formed sequence which the text cuts off.
size_t incomplete_utf8_suffix(std::string_view text);

// The general categories that pre-tokenisers ask for, as a bit set. A character has at most one of
// letter (\p{L}), mark (\p{M}), number (\p{N}), punctuation (\p{P}) and symbol (\p{S}); `space` is
// the White_Space property (\s). Letters may also be upper (\p{Lu}, \p{Lt}) or lower (\p{Ll}).
// Everything else, malformed bytes included, has none.
enum CharacterClass : uint8_t {
  kLetter = 1,
  kMark = 2,
  kNumber = 4,
  kPunctuation = 8,
  kSymbol = 16,
  kSpace = 32,
  kUpper = 64,
  kLower = 128,
};

uint8_t unicode_class(char32_t code_point);
extern const std::array<uint8_t, 128> kAsciiClass;

inline uint8_t character_class(char32_t code_point) {
  return code_point < 128 ? kAsciiClass[code_point] : unicode_class(code_point);
}

}  // namespace bantam
