#pragma once

#include <cstring>
#include <string>
#include <string_view>

#include "text/unicode.h"

namespace bantam::templates {

// Templates count in code points; a malformed byte counts as one.
inline size_t character_size(std::string_view text, size_t position) {
  return decode_utf8(text, position).size;
}

inline size_t count_characters(std::string_view text) {
  size_t count = 0;
  for (size_t i = 0; i < text.size(); ++count) i += character_size(text, i);
  return count;
}

// The byte at which a character starts; the end of the text for one behind the last.
inline size_t byte_of(std::string_view text, size_t character) {
  size_t i = 0;
  for (; character > 0 && i < text.size(); --character) i += character_size(text, i);
  return i;
}

inline std::string_view characters_of(std::string_view text, size_t begin, size_t count) {
  text.remove_prefix(byte_of(text, begin));
  return text.substr(0, byte_of(text, count));
}

// std::string::find takes quadratic time on hostile text; memmem does not.
inline size_t find_bytes(std::string_view text, std::string_view what, size_t from) {
  if (from > text.size()) return std::string::npos;
  if (what.empty()) return from;
  const void* found = memmem(text.data() + from, text.size() - from, what.data(), what.size());
  return found == nullptr ? std::string::npos
                          : static_cast<size_t>(static_cast<const char*>(found) - text.data());
}

inline bool is_space(char32_t c) {
  // Python also takes the four separators of ASCII for space.
  return (c >= 0x1C && c <= 0x1F) || (character_class(c) & kSpace) != 0;
}

}  // namespace bantam::templates
