#include "text/templates/escapes.h"

#include <charconv>
#include <cstdint>

#include "text/unicode.h"

namespace bantam::templates {
namespace {

bool is_octal(char c) {
  return c >= '0' && c <= '7';
}

// Takes `digits` hexadecimal digits off the front of `rest`.
bool take_code_point(std::string_view& rest, size_t digits, std::string& out) {
  uint32_t code = 0;
  if (rest.size() < digits) return false;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + digits, code, 16);
  if (error != std::errc() || end != rest.data() + digits) return false;
  append_utf8(out, code);
  rest.remove_prefix(digits);
  return true;
}

void take_octal(std::string_view& rest, std::string& out) {
  uint32_t code = 0;
  for (int i = 0; i < 3 && !rest.empty() && is_octal(rest.front()); ++i) {
    code = code * 8 + static_cast<uint32_t>(rest.front() - '0');
    rest.remove_prefix(1);
  }
  append_utf8(out, code);
}

}  // namespace

bool undo_escapes(std::string_view rest, std::string& out) {
  static constexpr std::string_view kNames = "abfnrtv\\'\"";
  static constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\'\"";
  while (!rest.empty()) {
    const char c = rest.front();
    rest.remove_prefix(1);
    if (c != '\\' || rest.empty()) {
      out += c;
      continue;
    }
    const char name = rest.front();
    if (is_octal(name)) {
      take_octal(rest, out);
      continue;
    }
    rest.remove_prefix(1);
    if (const size_t at = kNames.find(name); at != std::string_view::npos) {
      out += kMeanings[at];
    } else if (name == 'x' || name == 'u' || name == 'U') {
      const size_t digits = name == 'x' ? 2 : name == 'u' ? 4 : 8;
      if (!take_code_point(rest, digits, out)) return false;
    } else if (name != '\n') {
      out += '\\';
      out += name;
    }
  }
  return true;
}

}  // namespace bantam::templates
