#include "text/unicode.h"

#include <utf8proc.h>

namespace bantam {

namespace {

constexpr bool is_continuation(unsigned char byte) {
  return (byte & 0xC0) == 0x80;
}

constexpr bool is_scalar_value(char32_t value) {
  return value < 0xD800 || (value > 0xDFFF && value <= 0x10FFFF);
}

struct Lead {
  uint32_t size;            // 0: no lead byte
  unsigned char low, high;  // bounds of the second byte (Unicode standard, table 3-7)
};

constexpr Lead lead_of(unsigned char byte) {
  if (byte < 0xC2) return {0, 0, 0};
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

// How many bytes of the sequence that starts at `position` are well-formed so far.
uint32_t well_formed_prefix(std::string_view text, size_t position, const Lead& lead) {
  uint32_t length = 1;
  while (length < lead.size && position + length < text.size()) {
    const auto byte = static_cast<unsigned char>(text[position + length]);
    const bool fits = length == 1 ? byte >= lead.low && byte <= lead.high : is_continuation(byte);
    if (!fits) break;
    ++length;
  }
  return length;
}

constexpr uint8_t ascii_class(unsigned char c) {
  if (c >= 'a' && c <= 'z') return kLetter | kLower;
  if (c >= 'A' && c <= 'Z') return kLetter | kUpper;
  if (c >= '0' && c <= '9') return kNumber;
  if (c == ' ' || (c >= '\t' && c <= '\r')) return kSpace;
  if (c < 0x20 || c == 0x7F) return 0;
  constexpr std::string_view symbols = "$+<=>^`|~";
  return symbols.find(static_cast<char>(c)) != symbols.npos ? kSymbol : kPunctuation;
}

constexpr std::array<uint8_t, 128> ascii_classes() {
  std::array<uint8_t, 128> classes{};
  for (size_t c = 0; c < 128; ++c) classes[c] = ascii_class(static_cast<unsigned char>(c));
  return classes;
}

}  // namespace

constinit const std::array<uint8_t, 128> kAsciiClass = ascii_classes();

CodePoint decode_utf8_multibyte(std::string_view text, size_t position) {
  const auto first = static_cast<unsigned char>(text[position]);
  const Lead lead = lead_of(first);
  if (lead.size == 0 || well_formed_prefix(text, position, lead) != lead.size) {
    return {kInvalidCodePoint, 1};
  }
  char32_t value = first & (0x7Fu >> lead.size);
  for (uint32_t i = 1; i < lead.size; ++i) {
    value = value << 6 | (static_cast<unsigned char>(text[position + i]) & 0x3Fu);
  }
  return {value, lead.size};
}

void append_utf8(std::string& out, char32_t code_point) {
  const char32_t c = is_scalar_value(code_point) ? code_point : kReplacementCharacter;
  const auto tail = [&](int shift) {
    out.push_back(static_cast<char>(0x80 | ((c >> shift) & 0x3F)));
  };
  if (c < 0x80) {
    out.push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    out.push_back(static_cast<char>(0xC0 | (c >> 6)));
    tail(0);
  } else if (c < 0x10000) {
    out.push_back(static_cast<char>(0xE0 | (c >> 12)));
    tail(6);
    tail(0);
  } else {
    out.push_back(static_cast<char>(0xF0 | (c >> 18)));
    tail(12);
    tail(6);
    tail(0);
  }
}

bool is_valid_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const CodePoint c = decode_utf8(text, i);
    if (c.value == kInvalidCodePoint) return false;
    i += c.size;
  }
  return true;
}

std::string to_valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const CodePoint c = decode_utf8(text, i);
    append_utf8(out, c.value);
    i += c.size;
  }
  return out;
}

size_t incomplete_utf8_suffix(std::string_view text) {
  for (size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const size_t start = text.size() - back;
    const auto byte = static_cast<unsigned char>(text[start]);
    if (is_continuation(byte)) continue;
    const Lead lead = lead_of(byte);
    const bool cut = lead.size > back && well_formed_prefix(text, start, lead) == back;
    return cut ? back : 0;
  }
  return 0;
}

uint8_t unicode_class(char32_t code_point) {
  if (code_point > 0x10FFFF) return 0;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code_point))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LT:
      return kLetter | kUpper;
    case UTF8PROC_CATEGORY_LL:
      return kLetter | kLower;
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return kLetter;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
      return kMark;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return kNumber;
    case UTF8PROC_CATEGORY_PC:
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO:
      return kPunctuation;
    case UTF8PROC_CATEGORY_SM:
    case UTF8PROC_CATEGORY_SC:
    case UTF8PROC_CATEGORY_SK:
    case UTF8PROC_CATEGORY_SO:
      return kSymbol;
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return kSpace;
    default:
      // The controls with White_Space: ASCII ones and U+0085 NEXT LINE.
      return (code_point >= 0x09 && code_point <= 0x0D) || code_point == 0x85 ? kSpace : 0;
  }
}

}  // namespace bantam
