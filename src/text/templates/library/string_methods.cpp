// Python's methods of strings.
#include <algorithm>

#include "text/templates/characters.h"
#include "text/templates/formatting.h"
#include "text/templates/library/tables.h"
#include "text/templates/library/text_helpers.h"
#include "text/templates/operators.h"

namespace bantam::templates {
namespace {

template <std::string (*F)(std::string_view)>
Value mapped(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {});
  return runtime.string(F(self.text()));
}

template <Side side>
Value stripped(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"chars"});
  if (!p.has(0) || p.at(0).is(Kind::none)) return runtime.string(strip(self.text(), nullptr, side));
  runtime.step(self.text().size() * p.text(0).size());
  return runtime.string(strip(self.text(), &p.text(0), side));
}

Value strings(Runtime& runtime, std::vector<std::string> parts) {
  std::vector<Value> items;
  items.reserve(parts.size());
  for (std::string& part : parts) items.push_back(runtime.string(std::move(part)));
  return runtime.list(std::move(items));
}

template <bool from_right>
Value splitted(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"sep", "maxsplit"});
  const std::string& text = self.text();
  const int64_t most = p.integer(1, -1);
  const bool spaces = !p.has(0) || p.at(0).is(Kind::none);
  const std::string* separator = spaces ? nullptr : &p.text(0);
  if (!spaces && separator->empty()) runtime.fail("expected a separator, got an empty string");
  size_t parts = (spaces ? text.size() / 2 : count(text, *separator)) + 1;
  if (most >= 0) parts = std::min(parts, static_cast<size_t>(most) + 1);
  runtime.allocate(parts * sizeof(std::string));
  if (from_right && !spaces) runtime.step(text.size() * separator->size());
  return strings(runtime, split(text, separator, most, from_right));
}

Value splitlines(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"keepends"});
  runtime.allocate(count(self.text(), "\n") * sizeof(std::string));
  return strings(runtime, split_lines(self.text(), p.truth(0, false)));
}

template <bool from_right>
Value partition(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"sep"}, 1);
  const std::string& text = self.text();
  const std::string& separator = p.text(0);
  if (separator.empty()) runtime.fail("expected a separator, got an empty string");
  runtime.step(text.size() * (from_right ? separator.size() : 1));
  const size_t at = from_right ? text.rfind(separator) : find_bytes(text, separator, 0);
  const auto part = [&](const std::string& s) { return runtime.string(s); };
  if (at == std::string::npos) {
    return from_right ? runtime.tuple({part(""), part(""), self})
                      : runtime.tuple({self, part(""), part("")});
  }
  return runtime.tuple(
      {part(text.substr(0, at)), part(separator), part(text.substr(at + separator.size()))});
}

// text[begin:end] for find, count and startswith.
std::string_view within(const Parameters& p, size_t first, const std::string& text,
                        size_t* begin_byte = nullptr) {
  const auto n = static_cast<int64_t>(count_characters(text));
  const auto bound = [&](size_t i, int64_t otherwise) {
    const int64_t at = p.has(i) && p.at(i).is(Kind::none) ? otherwise : p.integer(i, otherwise);
    return static_cast<size_t>(std::clamp<int64_t>(at < 0 ? std::max(at, -n) + n : at, 0, n));
  };
  const size_t begin = bound(first, 0);
  const size_t end = std::max(bound(first + 1, n), begin);
  if (begin_byte != nullptr) *begin_byte = byte_of(text, begin);
  return characters_of(text, begin, end - begin);
}

template <bool at_end>
Value affixed(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"prefix", "start", "end"}, 1);
  const std::string_view text = within(p, 1, self.text());
  const auto fits = [&](Value affix) {
    if (!affix.is(Kind::string)) {
      runtime.fail("expected a string or a tuple of them, got {}", kind_name(affix.kind()));
    }
    return at_end ? text.ends_with(affix.text()) : text.starts_with(affix.text());
  };
  if (!p.at(0).is(Kind::tuple)) return Value::boolean(fits(p.at(0)));
  const auto& all = p.at(0).items().items;
  return Value::boolean(std::any_of(all.begin(), all.end(), fits));
}

// The number of the character at which it is found, or -1.
int64_t found_at(Runtime& runtime, Value self, const Arguments& arguments, bool from_right) {
  const Parameters p(runtime, arguments, {"sub", "start", "end"}, 1);
  size_t begin = 0;
  const std::string_view text = within(p, 1, self.text(), &begin);
  if (from_right) runtime.step(text.size() * p.text(0).size());
  const size_t at = from_right ? text.rfind(p.text(0)) : find_bytes(text, p.text(0), 0);
  if (at == std::string::npos) return -1;
  return static_cast<int64_t>(
      count_characters(std::string_view(self.text()).substr(0, begin + at)));
}

template <bool from_right>
Value find(Runtime& runtime, Value self, const Arguments& arguments) {
  return Value::integer(found_at(runtime, self, arguments, from_right));
}

template <bool from_right>
Value index(Runtime& runtime, Value self, const Arguments& arguments) {
  const int64_t at = found_at(runtime, self, arguments, from_right);
  if (at < 0) runtime.fail("expected a part of the string, got another");
  return Value::integer(at);
}

Value count_of(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"sub", "start", "end"}, 1);
  const std::string_view text = within(p, 1, self.text());
  const size_t n = p.text(0).empty() ? count_characters(text) + 1 : count(text, p.text(0));
  return Value::integer(static_cast<int64_t>(n));
}

Value replaced(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"old", "new", "count"}, 2);
  return replace_text(runtime, self.text(), p.text(0), p.text(1), p.integer(2, -1));
}

Value join(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"iterable"}, 1);
  const std::vector<Value> items = iterate(runtime, p.at(0));
  for (const Value& item : items) {
    if (!item.is(Kind::string)) {
      runtime.fail("expected strings to join, got {}", kind_name(item.kind()));
    }
  }
  return join_texts(runtime, items, self.text());
}

Value format(Runtime& runtime, Value self, const Arguments& arguments) {
  return runtime.string(brace_format(runtime, self.text(), arguments));
}

template <char align>
Value justified(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"width", "fillchar"}, 1);
  return pad_text(runtime, self.text(), p.integer(0, 0), align, p.text(1, " "));
}

Value zfill(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"width"}, 1);
  const std::string& text = self.text();
  const bool sign = text.starts_with('-') || text.starts_with('+');
  const Value digits =
      pad_text(runtime, text.substr(sign ? 1 : 0), p.integer(0, 0) - (sign ? 1 : 0), '>', "0");
  return runtime.string(text.substr(0, sign ? 1 : 0) + digits.text());
}

template <bool at_end>
Value without(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"affix"}, 1);
  const std::string& text = self.text();
  const std::string& affix = p.text(0);
  if (at_end ? !text.ends_with(affix) : !text.starts_with(affix)) return self;
  return runtime.string(at_end ? text.substr(0, text.size() - affix.size())
                               : text.substr(affix.size()));
}

// Whether the text has characters and all are of the classes.
template <int classes>
Value all_are(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {});
  const std::string& text = self.text();
  for (size_t i = 0; i < text.size(); i += character_size(text, i)) {
    const char32_t c = decode_utf8(text, i).value;
    const bool space = (classes & kSpace) != 0 && c != kInvalidCodePoint && is_space(c);
    if (c == kInvalidCodePoint || (!space && (character_class(c) & classes) == 0)) {
      return Value::boolean(false);
    }
  }
  return Value::boolean(!text.empty());
}

// Whether the text has letters with a case and `F` leaves them all.
template <std::string (*F)(std::string_view), std::string (*G)(std::string_view)>
Value is_cased(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {});
  const std::string& text = self.text();
  return Value::boolean(F(text) == text && G(text) != text);
}

constexpr Native kMethods[] = {
    {"strip", stripped<Side::both>},
    {"lstrip", stripped<Side::left>},
    {"rstrip", stripped<Side::right>},
    {"split", splitted<false>},
    {"rsplit", splitted<true>},
    {"splitlines", splitlines},
    {"partition", partition<false>},
    {"rpartition", partition<true>},
    {"upper", mapped<upper>},
    {"lower", mapped<lower>},
    {"casefold", mapped<lower>},
    {"title", mapped<title>},
    {"capitalize", mapped<capitalize>},
    {"swapcase", mapped<swapcase>},
    {"startswith", affixed<false>},
    {"endswith", affixed<true>},
    {"removeprefix", without<false>},
    {"removesuffix", without<true>},
    {"find", find<false>},
    {"rfind", find<true>},
    {"index", index<false>},
    {"rindex", index<true>},
    {"count", count_of},
    {"replace", replaced},
    {"join", join},
    {"format", format},
    {"ljust", justified<'<'>},
    {"rjust", justified<'>'>},
    {"center", justified<'^'>},
    {"zfill", zfill},
    {"isalpha", all_are<kLetter>},
    {"isdigit", all_are<kNumber>},
    {"isdecimal", all_are<kNumber>},
    {"isnumeric", all_are<kNumber>},
    {"isalnum", all_are<kLetter | kNumber>},
    {"isspace", all_are<kSpace>},
    {"isupper", is_cased<upper, lower>},
    {"islower", is_cased<lower, upper>},
};

}  // namespace

const Native* find_string_method(std::string_view name) {
  return find_native(kMethods, name);
}

}  // namespace bantam::templates
