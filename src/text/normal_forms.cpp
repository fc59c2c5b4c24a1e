#include "text/normal_forms.h"

#include <utf8proc.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "text/unicode.h"

namespace bantam {

namespace {

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

int combining_class(utf8proc_int32_t c) {
  return utf8proc_get_property(c)->combining_class;
}

// Canonical ordering (UAX #15, D109) of the characters from `begin` on: runs of marks by class.
// utf8proc's own way swaps neighbours, which long runs make quadratic.
void order_marks(std::vector<utf8proc_int32_t>& text, size_t begin) {
  for (size_t i = begin; i < text.size();) {
    if (combining_class(text[i]) == 0) {
      ++i;
      continue;
    }
    size_t end = i;
    while (end < text.size() && combining_class(text[end]) != 0) ++end;
    std::stable_sort(text.begin() + static_cast<ptrdiff_t>(i),
                     text.begin() + static_cast<ptrdiff_t>(end),
                     [](auto a, auto b) { return combining_class(a) < combining_class(b); });
    i = end;
  }
}

// Puts a well-formed stretch, decomposed so far, into order and appends it.
void finish(std::vector<utf8proc_int32_t>& stretch, bool compose, std::string& out) {
  order_marks(stretch, 0);
  auto size = static_cast<utf8proc_ssize_t>(stretch.size());
  if (compose) {
    const auto options = static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    size = utf8proc_normalize_utf32(stretch.data(), size, options);
  }
  for (utf8proc_ssize_t i = 0; i < size; ++i) {
    append_utf8(out, static_cast<char32_t>(stretch[static_cast<size_t>(i)]));
  }
  stretch.clear();
}

template <typename Append>
std::string map_characters(std::string_view text, Append append) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const CodePoint c = decode_utf8(text, i);
    if (c.value == kInvalidCodePoint) {
      out.push_back(text[i]);
    } else {
      append(c.value, out);
    }
    i += c.size;
  }
  return out;
}

}  // namespace

std::string normalise(std::string_view text, NormalForm form) {
  if (is_ascii(text)) return std::string(text);
  const bool compatible = form == NormalForm::nfkc || form == NormalForm::nfkd;
  const bool compose = form == NormalForm::nfc || form == NormalForm::nfkc;
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE |
                                                      (compatible ? UTF8PROC_COMPAT : 0));
  std::string out;
  out.reserve(text.size());
  std::vector<utf8proc_int32_t> stretch;
  for (size_t i = 0; i < text.size();) {
    const CodePoint c = decode_utf8(text, i);
    if (c.value == kInvalidCodePoint) {
      finish(stretch, compose, out);
      out.push_back(text[i]);
    } else {
      utf8proc_int32_t parts[32];  // no character decomposes into more than 18
      int boundary = 0;
      const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c.value), parts, 32,
                                                 options, &boundary);
      BANTAM_ASSERT(count >= 0 && count <= 32);
      stretch.insert(stretch.end(), parts, parts + count);
    }
    i += c.size;
  }
  finish(stretch, compose, out);
  return out;
}

std::string lower_case(std::string_view text) {
  return map_characters(text, [](char32_t c, std::string& out) {
    append_utf8(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
    if (c == 0x130)
      append_utf8(out, 0x307);  // the one capital that is two characters in lower case
  });
}

std::string without_nonspacing_marks(std::string_view text) {
  return map_characters(text, [](char32_t c, std::string& out) {
    const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
    if (category != UTF8PROC_CATEGORY_MN) append_utf8(out, c);
  });
}

std::string without_marks(std::string_view text) {
  return map_characters(text, [](char32_t c, std::string& out) {
    if ((character_class(c) & kMark) == 0) append_utf8(out, c);
  });
}

}  // namespace bantam
