#include "text/templates/lexer.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "text/templates/escapes.h"
#include "text/unicode.h"

namespace bantam::templates {
namespace {

constexpr size_t npos = std::string_view::npos;

bool is_blank(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_name_byte(char c) {
  return is_digit(c) || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         static_cast<unsigned char>(c) >= 0x80;
}

// Line ends become \n, and one at the end of the template is dropped.
std::string normalised(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      out += source[i];
    }
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

class Lexer {
 public:
  Lexer(std::string_view source, std::string_view where)
      : source_(normalised(source)), where_(where) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) {
      const size_t tag = next_tag(at_);
      if (tag == npos) {
        push_text(source_.substr(at_));
        break;
      }
      open_tag(tag);
    }
    push(TokenKind::end, "");
    return std::move(tokens_);
  }

 private:
  template <typename... Args>
  [[noreturn]] void bad(int line, fmt::format_string<Args...> text, Args&&... args) const {
    fail(ErrorKind::format, where_, "line {}: {}", line,
         fmt::format(text, std::forward<Args>(args)...));
  }

  void push(TokenKind kind, std::string text) { tokens_.push_back({kind, line_, std::move(text)}); }

  void push_text(std::string text) {
    const auto lines = static_cast<int>(std::count(text.begin(), text.end(), '\n'));
    if (!text.empty()) push(TokenKind::text, std::move(text));
    line_ += lines;
  }

  // Moves to `end`, counting lines.
  void skip_to(size_t end) {
    line_ += static_cast<int>(std::count(source_.begin() + static_cast<ptrdiff_t>(at_),
                                         source_.begin() + static_cast<ptrdiff_t>(end), '\n'));
    at_ = end;
  }

  [[nodiscard]] size_t next_tag(size_t from) const {
    for (size_t i = source_.find('{', from); i != npos; i = source_.find('{', i + 1)) {
      if (i + 1 >= source_.size()) return npos;
      const char next = source_[i + 1];
      if (next == '{' || next == '%' || next == '#') return i;
    }
    return npos;
  }

  // The text before a tag: `{%-` strips it, and so do the blanks between the start of a line and a
  // block or a comment, unless `{%+` keeps them.
  [[nodiscard]] std::string text_before(size_t tag, bool print) const {
    std::string text = source_.substr(at_, tag - at_);
    const char sign = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
    if (sign == '-') {
      while (!text.empty() && is_blank(text.back())) text.pop_back();
    } else if (sign != '+' && !print) {
      const size_t line = text.rfind('\n') + 1;  // npos + 1 is 0
      const bool starts = line > 0 || line_starting_;
      if (starts &&
          std::all_of(text.begin() + static_cast<ptrdiff_t>(line), text.end(), is_blank)) {
        text.resize(line);
      }
    }
    return text;
  }

  void open_tag(size_t tag) {
    const char type = source_[tag + 1];
    std::string text = text_before(tag, type == '{');
    const int lines_in_text =
        static_cast<int>(std::count(source_.begin() + static_cast<ptrdiff_t>(at_),
                                    source_.begin() + static_cast<ptrdiff_t>(tag), '\n'));
    const int line = line_;
    push_text(std::move(text));
    line_ = line + lines_in_text;
    at_ = tag + 2;
    const int opened = line_;
    if (at_ < source_.size() && (source_[at_] == '-' || source_[at_] == '+')) ++at_;
    if (type == '#') return comment(opened);
    if (type == '%' && raw_begins()) return raw(opened);
    push(type == '{' ? TokenKind::print_begin : TokenKind::block_begin, "");
    expression(type == '{' ? "}}" : "%}", opened);
  }

  // Behind the end of a tag: `-` swallows blanks, blocks and comments swallow one line end.
  void close_tag(size_t end, char sign, bool print) {
    size_t next = end;
    if (sign == '-') {
      while (next < source_.size() && is_blank(source_[next])) ++next;
    } else if (sign != '+' && !print && next < source_.size() && source_[next] == '\n') {
      ++next;
    }
    skip_to(next);
    line_starting_ = next > 0 && source_[next - 1] == '\n';
  }

  void comment(int opened) {
    const size_t end = source_.find("#}", at_);
    if (end == npos) bad(opened, "expected \"#}}\" to close the comment, got the end");
    const char sign = end > at_ ? source_[end - 1] : '\0';
    skip_to(end);
    close_tag(end + 2, sign, false);
  }

  [[nodiscard]] size_t skip_blanks(size_t i) const {
    while (i < source_.size() && is_blank(source_[i])) ++i;
    return i;
  }

  // Whether "raw" and the end of the tag follow.
  [[nodiscard]] bool raw_begins() const {
    size_t i = skip_blanks(at_);
    if (source_.compare(i, 3, "raw") != 0) return false;
    i = skip_blanks(i + 3);
    if (i < source_.size() && source_[i] == '-') ++i;
    return source_.compare(i, 2, "%}") == 0;
  }

  void raw(int opened) {
    const size_t close = source_.find("%}", at_);
    const char sign = source_[close - 1];
    skip_to(close + 2);
    if (sign == '-') skip_to(skip_blanks(at_));
    line_starting_ = at_ > 0 && source_[at_ - 1] == '\n';
    for (size_t tag = source_.find("{%", at_); tag != npos; tag = source_.find("{%", tag + 1)) {
      size_t i = tag + 2;
      if (i < source_.size() && (source_[i] == '-' || source_[i] == '+')) ++i;
      i = skip_blanks(i);
      if (source_.compare(i, 6, "endraw") != 0) continue;
      i = skip_blanks(i + 6);
      const char end_sign = i < source_.size() ? source_[i] : '\0';
      if (end_sign == '-' || end_sign == '+') ++i;
      if (source_.compare(i, 2, "%}") != 0) continue;
      std::string text = text_before(tag, false);
      if (!text.empty()) push(TokenKind::text, std::move(text));
      skip_to(i);
      close_tag(i + 2, end_sign, false);
      return;
    }
    bad(opened, "expected \"{{% endraw %}}\", got the end");
  }

  // Tokens up to the end of the tag.
  void expression(std::string_view closing, int opened) {
    std::string open;  // brackets
    while (true) {
      skip_to(skip_blanks(at_));
      if (at_ >= source_.size()) {
        bad(opened, "expected \"{}\" to close the tag, got the end", closing);
      }
      if (open.empty() && tag_ends(closing)) return;
      const char c = source_[at_];
      if (c == '\'' || c == '"') {
        string(c);
      } else if (is_digit(c)) {
        number();
      } else if (is_name_byte(c)) {
        name();
      } else {
        symbol(open);
      }
    }
  }

  bool tag_ends(std::string_view closing) {
    const char c = source_[at_];
    const bool sign = c == '-' || (c == '+' && closing == "%}");
    const size_t end = at_ + (sign ? 1 : 0);
    if (source_.compare(end, 2, closing) != 0) return false;
    push(closing == "}}" ? TokenKind::print_end : TokenKind::block_end, "");
    close_tag(end + 2, sign ? c : '\0', closing == "}}");
    return true;
  }

  void string(char quote) {
    size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) bad(line_, "expected {} to close the string, got the end", quote);
    const std::string_view body = std::string_view(source_).substr(at_ + 1, end - at_ - 1);
    std::string text;
    if (!undo_escapes(body, text)) {
      bad(line_, "string: expected escapes as in \"\\n\" or \"\\u00e9\", got \"{}\"",
          to_valid_utf8(body));
    }
    push(TokenKind::string, std::move(text));
    skip_to(end + 1);
  }

  // Digits may have single underscores between them.
  [[nodiscard]] size_t digits(size_t i) const {
    while (i < source_.size() &&
           (is_digit(source_[i]) ||
            (source_[i] == '_' && i + 1 < source_.size() && is_digit(source_[i + 1])))) {
      ++i;
    }
    return i;
  }

  void number() {
    size_t end = 0;
    TokenKind kind = TokenKind::integer;
    const char prefix =
        at_ + 1 < source_.size() ? static_cast<char>(source_[at_ + 1] | 0x20) : '\0';
    if (source_[at_] == '0' && (prefix == 'x' || prefix == 'o' || prefix == 'b')) {
      end = at_ + 2;
      while (end < source_.size() && is_name_byte(source_[end])) ++end;
    } else {
      end = digits(at_);
      const auto digit_at = [&](size_t i) { return i < source_.size() && is_digit(source_[i]); };
      if (end < source_.size() && source_[end] == '.' && digit_at(end + 1)) {
        kind = TokenKind::real;
        end = digits(end + 1);
      }
      if (end < source_.size() && (source_[end] | 0x20) == 'e') {
        const bool sign =
            end + 1 < source_.size() && (source_[end + 1] == '-' || source_[end + 1] == '+');
        if (digit_at(end + (sign ? 2 : 1))) {
          kind = TokenKind::real;
          end = digits(end + (sign ? 2 : 1));
        }
      }
    }
    std::string text = source_.substr(at_, end - at_);
    std::erase(text, '_');
    push(kind, std::move(text));
    at_ = end;
  }

  void name() {
    const size_t begin = at_;
    while (at_ < source_.size() && is_name_byte(source_[at_])) ++at_;
    push(TokenKind::name, source_.substr(begin, at_ - begin));
  }

  void symbol(std::string& open) {
    static constexpr std::array<std::string_view, 6> kLong = {"**", "//", "==", "!=", ">=", "<="};
    static constexpr std::string_view kShort = "+-*/%~()[]{}<>=.:|,";
    const std::string_view rest = std::string_view(source_).substr(at_);
    for (const std::string_view s : kLong) {
      if (rest.starts_with(s)) {
        push(TokenKind::symbol, std::string(s));
        at_ += 2;
        return;
      }
    }
    const char c = rest[0];
    if (kShort.find(c) == npos) bad(line_, "expected an expression, got \"{}\"", c);
    if (c == '(' || c == '[' || c == '{') open += c;
    if (c == ')' || c == ']' || c == '}') {
      const char partner = c == ')' ? '(' : c == ']' ? '[' : '{';
      if (open.empty() || open.back() != partner) {
        bad(line_, "expected an opening bracket before \"{}\", got none", c);
      }
      open.pop_back();
    }
    push(TokenKind::symbol, std::string(1, c));
    ++at_;
  }

  std::string source_;
  std::string_view where_;
  size_t at_ = 0;
  int line_ = 1;
  bool line_starting_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source, std::string_view where) {
  return Lexer(source, where).run();
}

}  // namespace bantam::templates
