#include "text/templates/formatting.h"

#include <algorithm>
#include <cmath>

#include "text/templates/characters.h"
#include "text/templates/printing.h"

namespace bantam::templates {
namespace {

constexpr int64_t kMaxWidth = 10'000;
constexpr char kAsPrinted = '\0';  // the type of a real number that has none

// One conversion: what both kinds of format come down to.
struct Spec {
  std::string fill = " ";
  char align = '\0';  // < > ^ or = (fill between sign and digits)
  char sign = '-';    // - + or a space
  bool alternate = false, thousands = false;
  int64_t width = 0, precision = -1;
  char type = 's';
};

std::string with_thousands(const std::string& digits) {
  size_t whole = digits.find_first_not_of("0123456789");
  if (whole == std::string::npos) whole = digits.size();
  std::string out;
  for (size_t i = 0; i < whole; ++i) {
    if (i > 0 && (whole - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out + digits.substr(whole);
}

std::string whole_number(const Spec& spec, int64_t value) {
  const uint64_t size = value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  switch (spec.type) {
    case 'x':
      return fmt::format("{}{:x}", spec.alternate ? "0x" : "", size);
    case 'X':
      return fmt::format("{}{:X}", spec.alternate ? "0X" : "", size);
    case 'o':
      return fmt::format("{}{:o}", spec.alternate ? "0o" : "", size);
    case 'b':
      return fmt::format("{}{:b}", spec.alternate ? "0b" : "", size);
    default:
      return fmt::format("{}", size);
  }
}

std::string real_number(Runtime& runtime, const Spec& spec, double value) {
  const double size = std::fabs(value);
  const int precision = spec.precision < 0 ? 6 : static_cast<int>(spec.precision);
  switch (spec.type) {
    case kAsPrinted:
      return text_of(runtime, Value::real(size));
    case 'e':
      return fmt::format("{:.{}e}", size, precision);
    case 'E':
      return fmt::format("{:.{}E}", size, precision);
    case 'g':
      return fmt::format("{:.{}g}", size, precision);
    case 'G':
      return fmt::format("{:.{}G}", size, precision);
    case '%':
      return fmt::format("{:.{}f}%", size * 100, precision);
    default:
      return fmt::format("{:.{}f}", size, precision);
  }
}

std::string padded(const Spec& spec, const std::string& sign, const std::string& body, char align) {
  const auto size = static_cast<int64_t>(count_characters(body) + sign.size());
  const int64_t missing = std::max<int64_t>(0, spec.width - size);
  const int64_t before = align == '>' || align == '=' ? missing : align == '^' ? missing / 2 : 0;
  std::string out;
  if (align == '=') out += sign;
  for (int64_t i = 0; i < before; ++i) out += spec.fill;
  if (align != '=') out += sign;
  out += body;
  for (int64_t i = before; i < missing; ++i) out += spec.fill;
  return out;
}

std::string converted(Runtime& runtime, const Spec& spec, Value value) {
  runtime.allocate(static_cast<size_t>(std::max(spec.width, spec.precision) + 1));
  if (spec.type == 's' || spec.type == 'r') {
    std::string text = spec.type == 's' ? text_of(runtime, value) : repr_of(runtime, value);
    if (spec.precision >= 0) {
      text = characters_of(text, 0, static_cast<size_t>(spec.precision));
    }
    runtime.allocate(text.size());
    return padded(spec, "", text, spec.align != '\0' ? spec.align : '<');
  }
  if (!value.is_number()) {
    runtime.fail("format: expected a number for \"{}\", got {}", spec.type,
                 kind_name(value.kind()));
  }
  const bool whole = std::string_view("dixXobcn").find(spec.type) != std::string_view::npos;
  if (whole && value.is(Kind::real) && !(std::fabs(value.as_real()) < 9e18)) {
    runtime.fail("format: expected an integer of at most 64 bits, got more");
  }
  const bool negative =
      value.is(Kind::real) ? std::signbit(value.as_real()) : value.as_integer() < 0;
  const int64_t integer =
      value.is(Kind::real) && whole ? static_cast<int64_t>(value.as_real()) : value.as_integer();
  std::string body =
      whole ? whole_number(spec, integer) : real_number(runtime, spec, value.as_real());
  if (spec.thousands) body = with_thousands(body);
  std::string sign;
  if (negative || spec.sign != '-') sign += negative ? '-' : spec.sign;
  return padded(spec, sign, body, spec.align != '\0' ? spec.align : '>');
}

// Reads formats from the left.
class Cursor {
 public:
  Cursor(const Runtime& runtime, std::string_view text) : runtime_(runtime), text_(text) {}
  [[nodiscard]] bool done() const { return at_ >= text_.size(); }
  [[nodiscard]] char peek() const { return done() ? '\0' : text_[at_]; }
  char take() {
    if (done()) runtime_.fail("format: expected a conversion, got the end of \"{}\"", text_);
    return text_[at_++];
  }
  bool skip(char c) {
    if (peek() != c || done()) return false;
    ++at_;
    return true;
  }
  int64_t number(int64_t otherwise) {
    int64_t value = peek() >= '0' && peek() <= '9' ? 0 : otherwise;
    while (peek() >= '0' && peek() <= '9') {
      value = value * 10 + (take() - '0');
      if (value > kMaxWidth) runtime_.fail("format: expected a width of at most {}", kMaxWidth);
    }
    return value;
  }
  std::string until(std::string_view ends) {
    const size_t end = std::min(text_.find_first_of(ends, at_), text_.size());
    std::string part(text_.substr(at_, end - at_));
    at_ = end;
    return part;
  }
  // A whole character if an alignment follows it.
  std::string fill() {
    const size_t n = done() ? 0 : character_size(text_, at_);
    if (n == 0 || at_ + n >= text_.size() ||
        std::string_view("<>^=").find(text_[at_ + n]) == std::string_view::npos) {
      return "";
    }
    at_ += n;
    return std::string(text_.substr(at_ - n, n));
  }

 private:
  const Runtime& runtime_;
  std::string_view text_;
  size_t at_ = 0;
};

Spec percent_spec(Cursor& in) {
  Spec spec;
  bool left = false;
  bool zeros = false;
  while (true) {
    if (in.skip('-')) {
      left = true;
    } else if (in.skip('0')) {
      zeros = true;
    } else if (in.skip('+')) {
      spec.sign = '+';
    } else if (in.skip(' ')) {
      spec.sign = spec.sign == '+' ? '+' : ' ';
    } else if (in.skip('#')) {
      spec.alternate = true;
    } else {
      break;
    }
  }
  spec.width = in.number(0);
  if (in.skip('.')) spec.precision = in.number(0);
  spec.align = left ? '<' : zeros ? '=' : '>';
  if (zeros && !left) spec.fill = std::string(1, '0');
  spec.type = in.take();
  return spec;
}

// What a field without a type is: booleans count as numbers, and reals print as they are.
char type_of(Value value) {
  if (value.is(Kind::integer) || value.is(Kind::boolean)) return 'd';
  return value.is(Kind::real) ? kAsPrinted : 's';
}

Spec brace_spec(const Runtime& runtime, const std::string& text, Value value) {
  Cursor in(runtime, text);
  Spec spec;
  spec.type = type_of(value);
  const std::string fill = in.fill();
  if (!fill.empty()) spec.fill = fill;
  if (std::string_view("<>^=").find(in.peek()) != std::string_view::npos && !in.done()) {
    spec.align = in.take();
  }
  if (in.peek() == '+' || in.peek() == '-' || in.peek() == ' ') spec.sign = in.take();
  spec.alternate = in.skip('#');
  if (in.skip('0') && spec.align == '\0') {
    spec.fill = std::string(1, '0');
    spec.align = spec.type == 's' ? '<' : '=';
  }
  spec.width = in.number(0);
  spec.thousands = in.skip(',');
  if (in.skip('.')) {
    spec.precision = in.number(0);
    if (value.is(Kind::real)) spec.type = 'g';
  }
  if (!in.done()) spec.type = in.take();
  const bool known = spec.type == kAsPrinted ||
                     std::string_view("sdxXobeEfFgG%n").find(spec.type) != std::string_view::npos;
  if (!in.done() || !known) {
    runtime.fail("format: expected a conversion as in \"{{:>8.2f}}\", got \"{{:{}}}\"", text);
  }
  return spec;
}

Value named(const Runtime& runtime, const Arguments& arguments, const std::string& name) {
  for (const auto& [known, value] : arguments.named) {
    if (known == name) return value;
  }
  runtime.fail("format: expected an argument \"{}\", got none", name);
}

}  // namespace

std::string percent_format(Runtime& runtime, const std::string& format, Value values) {
  const std::vector<Value> list =
      values.is(Kind::tuple) ? values.items().items : std::vector<Value>{values};
  Cursor in(runtime, format);
  std::string out;
  size_t used = 0;
  while (true) {
    out += in.until("%");
    if (in.done()) break;
    in.take();
    if (in.skip('%')) {
      out += '%';
      continue;
    }
    Value value;
    if (in.skip('(')) {
      const std::string key = in.until(")");
      in.take();
      const Value* found =
          values.is(Kind::dict) ? runtime.find(values.entries(), runtime.string(key)) : nullptr;
      if (found == nullptr) runtime.fail("format: expected a value \"{}\", got none", key);
      value = *found;
      used = list.size();
      const Spec spec = percent_spec(in);
      out += converted(runtime, spec, value);
      continue;
    }
    const Spec spec = percent_spec(in);
    if (std::string_view("sdiruxXoeEfFgGc").find(spec.type) == std::string_view::npos) {
      runtime.fail("format: expected a conversion as in \"%s\" or \"%.2f\", got \"%{}\"",
                   spec.type);
    }
    if (used >= list.size()) {
      runtime.fail("format: expected a value for each conversion, got {}", list.size());
    }
    out += converted(runtime, spec, list[used++]);
  }
  if (used < list.size() && !values.is(Kind::dict)) {
    runtime.fail("format: expected {} values, got {}", used, list.size());
  }
  return out;
}

std::string brace_format(Runtime& runtime, const std::string& format, const Arguments& arguments) {
  Cursor in(runtime, format);
  std::string out;
  size_t automatic = 0;
  while (true) {
    out += in.until("{}");
    if (in.done()) return out;
    const char brace = in.take();
    if (in.skip(brace)) {
      out += brace;
      continue;
    }
    if (brace == '}') runtime.fail("format: expected \"}}}}\" or an opening brace before \"}}\"");
    const std::string field = in.until("!:}");
    Value value;
    if (field.find_first_not_of("0123456789") != std::string::npos) {
      value = named(runtime, arguments, field);
    } else {
      const size_t index = field.empty()      ? automatic++
                           : field.size() > 4 ? SIZE_MAX
                                              : std::stoul(field);
      if (index >= arguments.positional.size()) {
        runtime.fail("format: expected an argument for each field, got {}",
                     arguments.positional.size());
      }
      value = arguments.positional[index];
    }
    const char conversion = in.skip('!') ? in.take() : '\0';
    if (conversion != '\0') {
      value = runtime.string(conversion == 'r' ? repr_of(runtime, value) : text_of(runtime, value));
    }
    const std::string spec = in.skip(':') ? in.until("}") : std::string();
    if (in.take() != '}') runtime.fail("format: expected \"}}\" after \"{}\"", field);
    const std::string text = spec.empty()
                                 ? text_of(runtime, value)
                                 : converted(runtime, brace_spec(runtime, spec, value), value);
    runtime.allocate(text.size());
    out += text;
  }
}

}  // namespace bantam::templates
