#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "text/templates/library/tables.h"
#include "text/templates/library/text_helpers.h"
#include "text/templates/operators.h"
#include "text/templates/printing.h"

namespace bantam::templates {
namespace {

Value absolute(Runtime& runtime, Value input, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {});
  if (!input.is_number()) {
    runtime.fail("expected a number, got {}", kind_name(input.kind()));
  }
  if (input.is(Kind::real)) return Value::real(std::fabs(input.as_real()));
  return input.as_integer() < 0 ? negate(runtime, input) : Value::integer(input.as_integer());
}

Value rounded(Runtime& runtime, Value input, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"precision", "method"});
  const int64_t precision = p.integer(0, 0);
  const std::string method = p.text(1, "common");
  if (!input.is_number()) {
    runtime.fail("expected a number, got {}", kind_name(input.kind()));
  }
  if (method != "common" && method != "ceil" && method != "floor") {
    runtime.fail("expected the method common, ceil or floor, got \"{}\"", method);
  }
  if (precision < -300 || precision > 300) {
    runtime.fail("expected a precision of -300 to 300, got {}", precision);
  }
  if (method == "common" && !input.is(Kind::real) && precision >= 0) return input;
  const double value = input.as_real();
  const double scale = std::pow(10.0, static_cast<double>(precision));
  if (method != "common") {
    return Value::real((method == "ceil" ? std::ceil(value * scale) : std::floor(value * scale)) /
                       scale);
  }
  if (precision < 0 || !std::isfinite(value)) {
    const double result = std::nearbyint(value * scale) / scale;
    return input.is(Kind::real) ? Value::real(result)
                                : Value::integer(static_cast<int64_t>(result));
  }
  // By the digits of the number itself, as Python does: 2.675 is a little less than it looks.
  const std::string digits = fmt::format("{:.{}f}", value, static_cast<int>(precision));
  return Value::real(std::strtod(digits.c_str(), nullptr));
}

std::optional<double> to_real(const std::string& text) {
  const std::string bare = strip(text, nullptr, Side::both);
  const bool plain = bare.find_first_not_of("0123456789+-.eE") == std::string::npos;
  char* end = nullptr;
  const double value = std::strtod(bare.c_str(), &end);
  if (!plain || bare.empty() || end != bare.c_str() + bare.size()) return {};
  return value;
}

std::optional<int64_t> to_integer(double value) {
  if (!(std::fabs(value) < 9.2e18)) return {};
  return static_cast<int64_t>(value);
}

Value whole(Runtime& runtime, Value input, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"default", "base"});
  const Value otherwise = p.has(0) ? p.at(0) : Value::integer(0);
  const auto base = static_cast<int>(std::clamp<int64_t>(p.integer(1, 10), 2, 36));
  if (input.is(Kind::real)) {
    const std::optional<int64_t> value = to_integer(input.as_real());
    return value ? Value::integer(*value) : otherwise;
  }
  if (input.is_number()) return Value::integer(input.as_integer());
  if (!input.is(Kind::string)) return otherwise;
  std::string text = strip(input.text(), nullptr, Side::both);
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.erase(0, 1);
  if (base == 16 && text.starts_with("0x")) text.erase(0, 2);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error == std::errc() && end == text.data() + text.size() && value >= 0) {
    return Value::integer(negative ? -value : value);
  }
  const std::optional<double> real = to_real(input.text());
  const std::optional<int64_t> cut = real ? to_integer(*real) : std::nullopt;
  return cut ? Value::integer(*cut) : otherwise;
}

Value real(Runtime& runtime, Value input, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"default"});
  const Value otherwise = p.has(0) ? p.at(0) : Value::real(0);
  if (input.is_number()) return Value::real(input.as_real());
  const std::optional<double> value = input.is(Kind::string) ? to_real(input.text()) : std::nullopt;
  return value ? Value::real(*value) : otherwise;
}

Value sum(Runtime& runtime, Value input, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"attribute", "start"});
  Value total = p.has(1) ? p.at(1) : Value::integer(0);
  for (Value item : iterate(runtime, input)) {
    if (p.has(0) && !p.at(0).is(Kind::none)) item = by_path(runtime, item, p.at(0));
    total = arithmetic(runtime, Operator::add, total, item);
  }
  return total;
}

constexpr Native kFilters[] = {
    {"abs", absolute}, {"round", rounded}, {"int", whole}, {"float", real}, {"sum", sum},
};

}  // namespace

const Native* find_number_filter(std::string_view name) {
  return find_native(kFilters, name);
}

}  // namespace bantam::templates
