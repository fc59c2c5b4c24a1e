#include "text/templates/library/text_helpers.h"

#include <utf8proc.h>

#include <algorithm>

#include "text/templates/characters.h"

namespace bantam::templates {
namespace {

enum class Case { upper, lower, title };

void append_cased(std::string& out, std::string_view text, size_t at, size_t size, Case wanted) {
  const char32_t c = decode_utf8(text, at).value;
  if (c == kInvalidCodePoint) {
    out.append(text, at, size);
    return;
  }
  const auto code = static_cast<utf8proc_int32_t>(c);
  // The commonest letter whose capital is two.
  if (c == 0xDF && wanted != Case::lower) {
    out += wanted == Case::upper ? "SS" : "Ss";
    return;
  }
  append_utf8(out, static_cast<char32_t>(wanted == Case::upper   ? utf8proc_toupper(code)
                                         : wanted == Case::lower ? utf8proc_tolower(code)
                                                                 : utf8proc_totitle(code)));
}

bool is_letter(std::string_view text, size_t at) {
  const char32_t c = decode_utf8(text, at).value;
  return c != kInvalidCodePoint && (character_class(c) & kLetter) != 0;
}

// Calls f(position, size) for each character.
template <typename F>
void for_each_character(std::string_view text, F f) {
  for (size_t i = 0; i < text.size();) {
    const size_t n = character_size(text, i);
    f(i, n);
    i += n;
  }
}

std::string cased(std::string_view text, Case wanted) {
  std::string out;
  for_each_character(text, [&](size_t i, size_t n) { append_cased(out, text, i, n, wanted); });
  return out;
}

bool is_space_at(std::string_view text, size_t at) {
  return is_space(decode_utf8(text, at).value);
}

std::vector<std::string> split_at_spaces(std::string_view text, int64_t most) {
  std::vector<std::string> parts;
  size_t i = 0;
  const auto skip = [&](bool spaces) {
    while (i < text.size() && is_space_at(text, i) == spaces) i += character_size(text, i);
  };
  for (skip(true); i < text.size(); skip(true)) {
    const size_t begin = i;
    if (most >= 0 && static_cast<int64_t>(parts.size()) == most) {
      parts.emplace_back(text.substr(begin));
      return parts;
    }
    skip(false);
    parts.emplace_back(text.substr(begin, i - begin));
  }
  return parts;
}

// The same from the end; a stripped rest comes first.
std::vector<std::string> split_at_spaces_from_right(std::string_view text, int64_t most) {
  std::vector<std::string> all = split_at_spaces(text, -1);
  const auto kept = static_cast<size_t>(most);
  if (most < 0 || all.size() <= kept) return all;
  // The text up to the last `most` words, found from the end.
  std::string rest = strip(text, nullptr, Side::right);
  for (size_t i = 0; i < kept; ++i) {
    rest.resize(rest.size() - all[all.size() - 1 - i].size());
    rest = strip(rest, nullptr, Side::right);
  }
  std::vector<std::string> parts{rest};
  parts.insert(parts.end(), all.end() - static_cast<ptrdiff_t>(kept), all.end());
  return parts;
}

}  // namespace

std::string upper(std::string_view text) {
  return cased(text, Case::upper);
}

std::string lower(std::string_view text) {
  return cased(text, Case::lower);
}

std::string title(std::string_view text) {
  std::string out;
  bool within = false;
  for_each_character(text, [&](size_t i, size_t n) {
    append_cased(out, text, i, n, within ? Case::lower : Case::title);
    within = is_letter(text, i);
  });
  return out;
}

std::string capitalize(std::string_view text) {
  std::string out;
  for_each_character(text, [&](size_t i, size_t n) {
    append_cased(out, text, i, n, i == 0 ? Case::title : Case::lower);
  });
  return out;
}

std::string swapcase(std::string_view text) {
  std::string out;
  for_each_character(text, [&](size_t i, size_t n) {
    const auto code = static_cast<utf8proc_int32_t>(decode_utf8(text, i).value);
    append_cased(out, text, i, n, utf8proc_tolower(code) == code ? Case::upper : Case::lower);
  });
  return out;
}

std::string strip(std::string_view text, const std::string* characters, Side side) {
  const auto goes = [&](size_t at, size_t n) {
    return characters == nullptr ? is_space_at(text, at)
                                 : characters->find(text.substr(at, n)) != std::string::npos;
  };
  size_t begin = 0;
  size_t end = text.size();
  if (side != Side::right) {
    while (begin < end && goes(begin, character_size(text, begin))) {
      begin += character_size(text, begin);
    }
  }
  while (side != Side::left && end > begin) {
    size_t last = end - 1;
    while (last > begin && end - last < 4 &&
           (static_cast<unsigned char>(text[last]) & 0xC0) == 0x80)
      --last;
    if (last + character_size(text, last) != end) last = end - 1;
    if (!goes(last, end - last)) break;
    end = last;
  }
  return std::string(text.substr(begin, end - begin));
}

std::vector<std::string> split(std::string_view text, const std::string* separator, int64_t most,
                               bool from_right) {
  if (separator == nullptr) {
    return from_right ? split_at_spaces_from_right(text, most) : split_at_spaces(text, most);
  }
  std::vector<size_t> cuts;
  if (from_right) {
    size_t end = text.size();
    while (most < 0 || static_cast<int64_t>(cuts.size()) < most) {
      const size_t at = text.substr(0, end).rfind(*separator);
      if (at == std::string_view::npos) break;
      cuts.push_back(at);
      end = at;
    }
    std::reverse(cuts.begin(), cuts.end());
  } else {
    size_t at = find_bytes(text, *separator, 0);
    while (at != std::string::npos && (most < 0 || static_cast<int64_t>(cuts.size()) < most)) {
      cuts.push_back(at);
      at = find_bytes(text, *separator, at + separator->size());
    }
  }
  std::vector<std::string> parts;
  size_t begin = 0;
  for (const size_t cut : cuts) {
    parts.emplace_back(text.substr(begin, cut - begin));
    begin = cut + separator->size();
  }
  parts.emplace_back(text.substr(begin));
  return parts;
}

std::vector<std::string> split_lines(std::string_view text, bool keep_ends) {
  std::vector<std::string> lines;
  const auto ends_line = [](char32_t c) {
    return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
           c == 0x2029;
  };
  size_t begin = 0;
  for (size_t i = 0; i < text.size();) {
    const CodePoint c = decode_utf8(text, i);
    size_t next = i + c.size;
    if (ends_line(c.value)) {
      if (c.value == '\r' && next < text.size() && text[next] == '\n') ++next;
      lines.emplace_back(text.substr(begin, (keep_ends ? next : i) - begin));
      begin = next;
    }
    i = next;
  }
  if (begin < text.size()) lines.emplace_back(text.substr(begin));
  return lines;
}

std::string replace(std::string_view text, std::string_view old, std::string_view fresh,
                    int64_t most) {
  std::string out;
  int64_t done = 0;
  if (old.empty()) {  // before every character and at the end
    for (; most < 0 || done < most; ++done) {
      out += fresh;
      if (text.empty()) break;
      const size_t n = character_size(text, 0);
      out += text.substr(0, n);
      text.remove_prefix(n);
    }
    return out.append(text);
  }
  size_t begin = 0;
  for (; most < 0 || done < most; ++done) {
    const size_t at = find_bytes(text, old, begin);
    if (at == std::string::npos) break;
    out.append(text, begin, at - begin).append(fresh);
    begin = at + old.size();
  }
  return out.append(text.substr(begin));
}

size_t count(std::string_view text, std::string_view part) {
  size_t found = 0;
  for (size_t at = find_bytes(text, part, 0); at != std::string::npos;
       at = find_bytes(text, part, at + part.size())) {
    ++found;
  }
  return found;
}

}  // namespace bantam::templates
