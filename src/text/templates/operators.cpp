#include "text/templates/operators.h"

#include <algorithm>
#include <cmath>

#include "text/templates/formatting.h"
#include "text/templates/printing.h"

namespace bantam::templates {
namespace {

[[noreturn]] void wrong(const Runtime& runtime, Operator op, Value a, Value b) {
  runtime.fail("\"{}\": expected values that fit, got {} and {}", spelling(op), kind_name(a.kind()),
               kind_name(b.kind()));
}

[[noreturn]] void too_large(const Runtime& runtime, Operator op) {
  runtime.fail("\"{}\": expected a result of at most 64 bits, got more", spelling(op));
}

int64_t floor_divide(int64_t a, int64_t b) {
  const int64_t quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

std::optional<int64_t> power(int64_t base, int64_t exponent) {
  int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) return {};
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) return {};
  }
  return result;
}

Value on_integers(const Runtime& runtime, Operator op, int64_t a, int64_t b) {
  int64_t result = 0;
  bool overflow = false;
  const bool smallest = a == INT64_MIN && b == -1;
  switch (op) {
    case Operator::add:
      overflow = __builtin_add_overflow(a, b, &result);
      break;
    case Operator::subtract:
      overflow = __builtin_sub_overflow(a, b, &result);
      break;
    case Operator::multiply:
      overflow = __builtin_mul_overflow(a, b, &result);
      break;
    case Operator::floor_divide:
      overflow = smallest;
      if (!smallest) result = floor_divide(a, b);
      break;
    case Operator::modulo:
      if (!smallest) result = a - floor_divide(a, b) * b;
      break;
    case Operator::power: {
      const std::optional<int64_t> p = power(a, b);
      overflow = !p;
      result = p.value_or(0);
      break;
    }
    case Operator::divide:
      return Value::real(static_cast<double>(a) / static_cast<double>(b));
  }
  if (overflow) too_large(runtime, op);
  return Value::integer(result);
}

Value on_reals(Operator op, double a, double b) {
  switch (op) {
    case Operator::add:
      return Value::real(a + b);
    case Operator::subtract:
      return Value::real(a - b);
    case Operator::multiply:
      return Value::real(a * b);
    case Operator::divide:
      return Value::real(a / b);
    case Operator::floor_divide:
      return Value::real(std::floor(a / b));
    case Operator::modulo: {
      const double r = std::fmod(a, b);
      return Value::real(r != 0 && (r < 0) != (b < 0) ? r + b : r);
    }
    case Operator::power:
      return Value::real(std::pow(a, b));
  }
  return {};
}

Value on_numbers(const Runtime& runtime, Operator op, Value a, Value b) {
  const bool division =
      op == Operator::divide || op == Operator::floor_divide || op == Operator::modulo;
  if (division && b.as_real() == 0) runtime.fail("\"{}\": division by zero", spelling(op));
  const bool whole =
      !a.is(Kind::real) && !b.is(Kind::real) && !(op == Operator::power && b.as_integer() < 0);
  return whole ? on_integers(runtime, op, a.as_integer(), b.as_integer())
               : on_reals(op, a.as_real(), b.as_real());
}

Value repeat(Runtime& runtime, Value sequence, int64_t count) {
  const auto times = static_cast<size_t>(std::max<int64_t>(count, 0));
  const bool text = sequence.is(Kind::string);
  const size_t size = text ? sequence.text().size() : sequence.items().items.size();
  size_t total = 0;
  if (__builtin_mul_overflow(size, times, &total)) total = SIZE_MAX / sizeof(Value);
  runtime.allocate(text ? total : std::min(total, SIZE_MAX / sizeof(Value)) * sizeof(Value));
  if (text) {
    std::string out;
    for (size_t i = 0; i < times && size > 0; ++i) out += sequence.text();
    return runtime.string(std::move(out));
  }
  std::vector<Value> items;
  const auto& from = sequence.items().items;
  for (size_t i = 0; i < times && size > 0; ++i)
    items.insert(items.end(), from.begin(), from.end());
  return sequence.is(Kind::list) ? runtime.list(std::move(items)) : runtime.tuple(std::move(items));
}

Value joined(Runtime& runtime, Value a, Value b) {
  std::vector<Value> items = a.items().items;
  items.insert(items.end(), b.items().items.begin(), b.items().items.end());
  return a.is(Kind::list) ? runtime.list(std::move(items)) : runtime.tuple(std::move(items));
}

}  // namespace

std::string_view spelling(Operator op) {
  static constexpr std::string_view kSpellings[] = {"+", "-", "*", "/", "//", "%", "**"};
  return kSpellings[static_cast<size_t>(op)];
}

Value arithmetic(Runtime& runtime, Operator op, Value a, Value b) {
  runtime.step(weight(a) + weight(b));
  if (a.is_number() && b.is_number()) return on_numbers(runtime, op, a, b);
  if (op == Operator::add && a.is(Kind::string) && b.is(Kind::string)) {
    return runtime.string(a.text() + b.text());
  }
  if (op == Operator::add && a.is_sequence() && a.kind() == b.kind()) return joined(runtime, a, b);
  if (op == Operator::modulo && a.is(Kind::string)) {
    return runtime.string(percent_format(runtime, a.text(), b));
  }
  if (op == Operator::multiply) {
    const auto repeats = [](Value s, Value n) {
      return (s.is(Kind::string) || s.is_sequence()) &&
             (n.is(Kind::integer) || n.is(Kind::boolean));
    };
    if (repeats(a, b)) return repeat(runtime, a, b.as_integer());
    if (repeats(b, a)) return repeat(runtime, b, a.as_integer());
  }
  wrong(runtime, op, a, b);
}

Value negate(Runtime& runtime, Value value) {
  if (value.is(Kind::real)) return Value::real(-value.as_real());
  if (!value.is_number()) {
    runtime.fail("\"-\": expected a number, got {}", kind_name(value.kind()));
  }
  if (value.as_integer() == INT64_MIN) too_large(runtime, Operator::subtract);
  return Value::integer(-value.as_integer());
}

bool truthy(Value value) {
  switch (value.kind()) {
    case Kind::undefined:
    case Kind::none:
      return false;
    case Kind::boolean:
    case Kind::integer:
      return value.as_integer() != 0;
    case Kind::real:
      return value.as_real() != 0;
    default: {
      const std::optional<size_t> n = length(value);
      return !n || *n > 0;
    }
  }
}

bool equal(Runtime& runtime, Value a, Value b) {
  const Runtime::Nested nested(runtime);
  runtime.step(std::min(weight(a), weight(b)));
  if (a.is_number() && b.is_number()) {
    return a.is(Kind::real) || b.is(Kind::real) ? a.as_real() == b.as_real()
                                                : a.as_integer() == b.as_integer();
  }
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::undefined:
    case Kind::none:
      return true;
    case Kind::string:
      return a.text() == b.text();
    case Kind::list:
    case Kind::tuple: {
      const auto& x = a.items().items;
      const auto& y = b.items().items;
      return std::equal(x.begin(), x.end(), y.begin(), y.end(),
                        [&](Value p, Value q) { return equal(runtime, p, q); });
    }
    case Kind::dict: {
      if (a.entries().entries.size() != b.entries().entries.size()) return false;
      return std::all_of(a.entries().entries.begin(), a.entries().entries.end(),
                         [&](const Dict::Entry& e) {
                           const Value* other = runtime.find(b.entries(), e.key);
                           return other != nullptr && equal(runtime, e.value, *other);
                         });
    }
    default:
      return a.object() == b.object();
  }
}

bool less(Runtime& runtime, Value a, Value b) {
  const Runtime::Nested nested(runtime);
  runtime.step(std::min(weight(a), weight(b)));
  if (a.is_number() && b.is_number()) {
    return a.is(Kind::real) || b.is(Kind::real) ? a.as_real() < b.as_real()
                                                : a.as_integer() < b.as_integer();
  }
  // The order of UTF-8's bytes is the order of code points.
  if (a.is(Kind::string) && b.is(Kind::string)) return a.text() < b.text();
  if (a.is_sequence() && a.kind() == b.kind()) {
    const auto& x = a.items().items;
    const auto& y = b.items().items;
    for (size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
      if (!equal(runtime, x[i], y[i])) return less(runtime, x[i], y[i]);
    }
    return x.size() < y.size();
  }
  runtime.fail("expected values that have an order, got {} and {}", kind_name(a.kind()),
               kind_name(b.kind()));
}

}  // namespace bantam::templates
