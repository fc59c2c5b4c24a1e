#include <algorithm>

#include "text/templates/characters.h"
#include "text/templates/formatting.h"
#include "text/templates/library/tables.h"
#include "text/templates/library/text_helpers.h"
#include "text/templates/operators.h"
#include "text/templates/printing.h"

namespace bantam::templates {
namespace {

template <std::string (*F)(std::string_view)>
Value mapped(Runtime& runtime, Value input, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {});
  return runtime.string(F(text_of(runtime, input)));
}

// Unlike str.title(): words begin behind blanks and opening brackets only, so "they're" stays one.
std::string title_of_words(std::string_view text) {
  std::string out;
  size_t begin = 0;
  const auto word_ends = [](std::string_view t, size_t i) {
    static constexpr std::string_view kSplit = "-({[<";
    return kSplit.find(t[i]) != std::string_view::npos || is_space(decode_utf8(t, i).value);
  };
  const auto put = [&](std::string_view word) { out += capitalize(word); };
  for (size_t i = 0; i < text.size();) {
    const size_t n = character_size(text, i);
    if (word_ends(text, i)) {
      put(text.substr(begin, i - begin));
      out += text.substr(i, n);
      begin = i + n;
    }
    i += n;
  }
  put(text.substr(begin));
  return out;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '"':
        out += "&#34;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string percent_encoded(std::string_view text) {
  static constexpr std::string_view kKept = "_.-~/";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool letter = byte < 0x80 && (kAsciiClass[byte] & (kLetter | kNumber)) != 0;
    if (letter || kKept.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", byte);
    }
  }
  return out;
}

std::string unchanged(std::string_view text) {
  return std::string(text);
}

Value trim(Runtime& runtime, Value input, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"chars"});
  const std::string text = text_of(runtime, input);
  const bool spaces = !p.has(0) || p.at(0).is(Kind::none);
  if (!spaces) runtime.step(text.size() * p.text(0).size());
  return runtime.string(strip(text, spaces ? nullptr : &p.text(0), Side::both));
}

Value replaced(Runtime& runtime, Value input, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"old", "new", "count"}, 2);
  return replace_text(runtime, text_of(runtime, input), text_of(runtime, p.at(0)),
                      text_of(runtime, p.at(1)),
                      p.has(2) && p.at(2).is(Kind::none) ? -1 : p.integer(2, -1));
}

Value indent(Runtime& runtime, Value input, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"width", "first", "blank"});
  const bool text_width = p.has(0) && p.at(0).is(Kind::string);
  const int64_t width = text_width ? 0 : std::max<int64_t>(0, p.integer(0, 4));
  const std::string text = fmt::format("{}\n", text_of(runtime, input));
  const size_t lines = count(text, "\n") + 1;
  runtime.allocate(static_cast<size_t>(width));
  const std::string indentation =
      text_width ? p.text(0) : std::string(static_cast<size_t>(width), ' ');
  runtime.allocate(lines * (indentation.size() + sizeof(std::string)));
  std::string out;
  bool first = true;
  for (const std::string& line : split_lines(text, false)) {
    if (!first) out += '\n';
    const bool wanted = first ? p.truth(1, false) : !line.empty() || p.truth(2, false);
    if (wanted) out += indentation;
    out += line;
    first = false;
  }
  return runtime.string(std::move(out));
}

Value center(Runtime& runtime, Value input, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"width"});
  return pad_text(runtime, text_of(runtime, input), p.integer(0, 80), '^', " ");
}

Value word_count(Runtime& runtime, Value input, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {});
  const std::string text = text_of(runtime, input);
  int64_t words = 0;
  bool within = false;
  for (size_t i = 0; i < text.size(); i += character_size(text, i)) {
    const char32_t c = decode_utf8(text, i).value;
    const bool part =
        c == '_' || (c != kInvalidCodePoint && (character_class(c) & (kLetter | kNumber)) != 0);
    words += part && !within ? 1 : 0;
    within = part;
  }
  return Value::integer(words);
}

Value format(Runtime& runtime, Value input, const Arguments& arguments) {
  const std::string text = text_of(runtime, input);
  if (arguments.named.empty()) {
    return runtime.string(percent_format(runtime, text, runtime.tuple(arguments.positional)));
  }
  if (!arguments.positional.empty()) {
    runtime.fail("expected either positional or named arguments, got both");
  }
  Dict& values = runtime.dict();
  for (const auto& [name, value] : arguments.named) {
    runtime.set(values, runtime.string(name), value);
  }
  return runtime.string(percent_format(runtime, text, Value::dict(values)));
}

Value truncate(Runtime& runtime, Value input, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"length", "killwords", "end", "leeway"});
  const std::string text = text_of(runtime, input);
  const std::string end = p.text(2, "...");
  const auto ends = static_cast<int64_t>(count_characters(end));
  const int64_t length = p.integer(0, 255);
  const int64_t leeway = p.integer(3, 5);
  if (length < ends || leeway < 0 || leeway > INT32_MAX || length > INT32_MAX) {
    runtime.fail("expected a length of at least {}, got {}", ends, length);
  }
  if (static_cast<int64_t>(count_characters(text)) <= length + leeway) return runtime.string(text);
  std::string cut(characters_of(text, 0, static_cast<size_t>(length - ends)));
  if (!p.truth(1, false)) {
    if (const size_t space = cut.rfind(' '); space != std::string::npos) cut.resize(space);
  }
  return runtime.string(fmt::format("{}{}", cut, end));
}

Value to_json(Runtime& runtime, Value input, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.ascii = p.truth(0, false);
  style.sort_keys = p.truth(3, false);
  if (p.has(1) && p.at(1).is(Kind::string)) {
    style.indent = p.text(1);
  } else if (p.has(1) && !p.at(1).is(Kind::none)) {
    const auto width = static_cast<size_t>(std::max<int64_t>(0, p.integer(1, 0)));
    runtime.allocate(width);
    style.indent = std::string(width, ' ');
  }
  if (style.indent) style.between = std::string(1, ',');
  if (p.has(2) && !p.at(2).is(Kind::none)) {
    const std::vector<Value> pair = iterate(runtime, p.at(2));
    if (pair.size() != 2) runtime.fail("separators: expected 2, got {}", pair.size());
    style.between = text_of(runtime, pair[0]);
    style.after_key = text_of(runtime, pair[1]);
  }
  return runtime.string(json_of(runtime, input, style));
}

constexpr Native kFilters[] = {
    {"upper", mapped<upper>},
    {"lower", mapped<lower>},
    {"title", mapped<title_of_words>},
    {"capitalize", mapped<capitalize>},
    {"escape", mapped<escaped>},
    {"e", mapped<escaped>},
    {"forceescape", mapped<escaped>},
    {"urlencode", mapped<percent_encoded>},
    {"string", mapped<unchanged>},
    {"safe", mapped<unchanged>},
    {"trim", trim},
    {"replace", replaced},
    {"indent", indent},
    {"center", center},
    {"wordcount", word_count},
    {"format", format},
    {"truncate", truncate},
    {"tojson", to_json},
};

}  // namespace

const Native* find_text_filter(std::string_view name) {
  return find_native(kFilters, name);
}

}  // namespace bantam::templates
