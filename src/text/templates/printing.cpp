#include "text/templates/printing.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "text/templates/function.h"
#include "text/unicode.h"

namespace bantam::templates {
namespace {

void append_repr(Runtime& runtime, Value value, std::string& out);

void append_quoted(const std::string& text, std::string& out) {
  const bool single = text.find('\'') == std::string::npos || text.find('"') != std::string::npos;
  const char quote = single ? '\'' : '"';
  out += quote;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == quote || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  out += quote;
}

void append_items(Runtime& runtime, Value value, std::string& out) {
  const auto& items = value.items().items;
  runtime.allocate(items.size() * 2);
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += ", ";
    append_repr(runtime, items[i], out);
  }
}

void append_dict(Runtime& runtime, const Dict& dict, std::string& out) {
  runtime.allocate(dict.entries.size() * 4);
  out += '{';
  for (size_t i = 0; i < dict.entries.size(); ++i) {
    if (i > 0) out += ", ";
    append_repr(runtime, dict.entries[i].key, out);
    out += ": ";
    append_repr(runtime, dict.entries[i].value, out);
  }
  out += '}';
}

// Appends what str() gives, but for strings, which lists show quoted.
void append_repr(Runtime& runtime, Value value, std::string& out) {
  const Runtime::Nested nested(runtime);
  const size_t before = out.size();
  switch (value.kind()) {
    case Kind::undefined:
      out += "Undefined";
      break;
    case Kind::none:
      out += "None";
      break;
    case Kind::boolean:
      out += value.as_boolean() ? "True" : "False";
      break;
    case Kind::integer:
      out += std::to_string(value.as_integer());
      break;
    case Kind::real:
      out += real_text(value.as_real());
      break;
    case Kind::string:
      append_quoted(value.text(), out);
      break;
    case Kind::list:
      out += '[';
      append_items(runtime, value, out);
      out += ']';
      break;
    case Kind::tuple:
      out += '(';
      append_items(runtime, value, out);
      out += value.items().items.size() == 1 ? ",)" : ")";
      break;
    case Kind::dict:
      append_dict(runtime, value.entries(), out);
      break;
    case Kind::attributes:
      out += "<object>";
      break;
    case Kind::function:
      out += fmt::format("<function {}>", value.function().name());
      break;
  }
  // Shared parts may print much more than they hold; containers have counted their items.
  runtime.step();
  const bool container = value.is_sequence() || value.is(Kind::dict);
  runtime.allocate(container ? 2 : out.size() - before);
}

class JsonWriter {
 public:
  JsonWriter(Runtime& runtime, const JsonStyle& style) : runtime_(runtime), style_(style) {}

  void write(Value value) {
    const Runtime::Nested nested(runtime_);
    runtime_.step();
    const size_t before = out.size();
    const bool container = value.is_sequence() || value.is(Kind::dict);
    switch (value.kind()) {
      case Kind::none:
        out += "null";
        break;
      case Kind::boolean:
        out += value.as_boolean() ? "true" : "false";
        break;
      case Kind::integer:
        out += std::to_string(value.as_integer());
        break;
      case Kind::real:
        number(value.as_real());
        break;
      case Kind::string:
        string(value.text());
        break;
      case Kind::list:
      case Kind::tuple:
        array(value.items());
        break;
      case Kind::dict:
        object(value.entries());
        break;
      default:
        runtime_.fail("expected a value that JSON can hold, got {}", kind_name(value.kind()));
    }
    runtime_.allocate(container ? 2 : out.size() - before);
  }

  std::string out;

 private:
  void number(double value) {
    if (std::isnan(value)) {
      out += "NaN";
    } else if (std::isinf(value)) {
      out += value > 0 ? "Infinity" : "-Infinity";
    } else {
      out += real_text(value);
    }
  }

  void escape(char32_t unit) { out += fmt::format("\\u{:04x}", static_cast<uint32_t>(unit)); }

  void string(const std::string& text) {
    out += '"';
    for (size_t i = 0; i < text.size();) {
      const CodePoint c = decode_utf8(text, i);
      if (c.value == '"' || c.value == '\\') {
        out += '\\';
        out += static_cast<char>(c.value);
      } else if (c.value < 0x20) {
        control(static_cast<char>(c.value));
      } else if (style_.ascii && c.value > 0x7E) {
        beyond_ascii(c.value);
      } else {
        out.append(text, i, c.size);
      }
      i += c.size;
    }
    out += '"';
  }

  void control(char c) {
    static constexpr std::string_view kNamed = "\b\f\n\r\t";
    static constexpr std::string_view kLetters = "bfnrt";
    if (const size_t at = kNamed.find(c); at != std::string_view::npos) {
      out += '\\';
      out += kLetters[at];
    } else {
      escape(static_cast<unsigned char>(c));
    }
  }

  void beyond_ascii(char32_t c) {
    if (c == 0x7F) {
      out += '\x7F';
    } else if (c == kInvalidCodePoint) {
      escape(kReplacementCharacter);
    } else if (c >= 0x10000) {
      escape(0xD800 + ((c - 0x10000) >> 10));
      escape(0xDC00 + ((c - 0x10000) & 0x3FF));
    } else {
      escape(c);
    }
  }

  void new_line() {
    runtime_.allocate(style_.between.size() + style_.after_key.size());
    if (!style_.indent) return;
    runtime_.allocate(1 + style_.indent->size() * static_cast<size_t>(level_));
    out += '\n';
    for (int i = 0; i < level_; ++i) out += *style_.indent;
  }

  void array(const List& list) {
    out += '[';
    ++level_;
    for (size_t i = 0; i < list.items.size(); ++i) {
      if (i > 0) out += style_.between;
      new_line();
      write(list.items[i]);
    }
    --level_;
    if (!list.items.empty()) new_line();
    out += ']';
  }

  void key(Value value) {
    if (value.is(Kind::string)) return string(value.text());
    if (!value.is_number() && !value.is(Kind::none)) {
      runtime_.fail("expected a key that JSON can hold, got {}", kind_name(value.kind()));
    }
    out += '"';
    write(value);
    out += '"';
  }

  void object(const Dict& dict) {
    std::vector<const Dict::Entry*> entries;
    for (const Dict::Entry& entry : dict.entries) entries.push_back(&entry);
    if (style_.sort_keys) {
      std::stable_sort(entries.begin(), entries.end(), [&](const auto* a, const auto* b) {
        return text_of(runtime_, a->key) < text_of(runtime_, b->key);
      });
    }
    out += '{';
    ++level_;
    for (size_t i = 0; i < entries.size(); ++i) {
      if (i > 0) out += style_.between;
      new_line();
      key(entries[i]->key);
      out += style_.after_key;
      write(entries[i]->value);
    }
    --level_;
    if (!entries.empty()) new_line();
    out += '}';
  }

  Runtime& runtime_;
  const JsonStyle& style_;
  int level_ = 0;
};

}  // namespace

std::string text_of(Runtime& runtime, Value value) {
  if (value.is(Kind::string)) return value.text();
  std::string out;
  if (!value.is(Kind::undefined)) append_repr(runtime, value, out);
  return out;
}

std::string repr_of(Runtime& runtime, Value value) {
  std::string out;
  append_repr(runtime, value, out);
  return out;
}

std::string real_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buffer[64];
  // Python switches to an exponent below 1e-4 and from 1e16 on.
  const double size = std::fabs(value);
  const bool plain = value == 0 || (size >= 1e-4 && size < 1e16);
  const auto format = plain ? std::chars_format::fixed : std::chars_format::scientific;
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, format).ptr;
  std::string text(buffer, end);
  if (plain && text.find('.') == std::string::npos) text += ".0";
  return text;
}

std::string json_of(Runtime& runtime, Value value, const JsonStyle& style) {
  JsonWriter writer(runtime, style);
  writer.write(value);
  return std::move(writer.out);
}

}  // namespace bantam::templates
