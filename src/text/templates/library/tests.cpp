// What `is` asks.
#include "text/templates/library/tables.h"
#include "text/templates/library/text_helpers.h"
#include "text/templates/operators.h"
#include "text/templates/printing.h"

namespace bantam::templates {
namespace {

template <bool (*F)(Value)>
Value about(Runtime& runtime, Value input, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {});
  return Value::boolean(F(input));
}

template <Kind kind>
bool is(Value v) {
  return v.is(kind);
}
bool is_defined(Value v) {
  return !v.is(Kind::undefined);
}
bool is_true(Value v) {
  return v.is(Kind::boolean) && v.as_boolean();
}
bool is_false(Value v) {
  return v.is(Kind::boolean) && !v.as_boolean();
}
bool is_number(Value v) {
  return v.is_number();
}
// Undefined is an empty sequence, as it is an empty list to a loop.
bool is_sequence(Value v) {
  return length(v).has_value();
}
bool is_callable(Value v) {
  return v.is(Kind::function) || (v.is(Kind::attributes) && v.attributes().callable() != nullptr);
}
bool never(Value /*v*/) {
  return false;
}

int64_t integer(const Runtime& runtime, Value v) {
  if (!v.is(Kind::integer) && !v.is(Kind::boolean)) {
    runtime.fail("expected an integer, got {}", kind_name(v.kind()));
  }
  return v.as_integer();
}

template <int64_t remainder>
Value has_parity(Runtime& runtime, Value input, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {});
  if (input.is(Kind::real)) {
    const Value rest = arithmetic(runtime, Operator::modulo, input, Value::integer(2));
    return Value::boolean(rest.as_real() == static_cast<double>(remainder));
  }
  return Value::boolean((integer(runtime, input) & 1) == remainder);
}

Value divisible(Runtime& runtime, Value input, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"num"}, 1);
  const int64_t divisor = integer(runtime, p.at(0));
  if (divisor == 0) runtime.fail("expected a divisor other than 0");
  return Value::boolean(divisor == -1 || integer(runtime, input) % divisor == 0);
}

template <std::string (*F)(std::string_view), std::string (*G)(std::string_view)>
Value has_case(Runtime& runtime, Value input, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {});
  const std::string text = text_of(runtime, input);
  return Value::boolean(F(text) == text && G(text) != text);
}

enum class Order { equal, unequal, less, at_most, greater, at_least };

template <Order order>
Value compared(Runtime& runtime, Value a, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"other"}, 1);
  const Value b = p.at(0);
  switch (order) {
    case Order::equal:
      return Value::boolean(equal(runtime, a, b));
    case Order::unequal:
      return Value::boolean(!equal(runtime, a, b));
    case Order::less:
      return Value::boolean(less(runtime, a, b));
    case Order::at_most:
      return Value::boolean(less(runtime, a, b) || equal(runtime, a, b));
    case Order::greater:
      return Value::boolean(less(runtime, b, a));
    case Order::at_least:
      return Value::boolean(less(runtime, b, a) || equal(runtime, a, b));
  }
  return {};
}

Value is_in(Runtime& runtime, Value input, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"seq"}, 1);
  return Value::boolean(contains(runtime, p.at(0), input));
}

Value same_as(Runtime& runtime, Value a, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"other"}, 1);
  const Value b = p.at(0);
  const bool object = a.is_sequence() || a.is(Kind::dict) || a.is(Kind::attributes);
  if (a.kind() != b.kind()) return Value::boolean(false);
  return Value::boolean(object ? a.object() == b.object() : equal(runtime, a, b));
}

template <const Native* (*find)(std::string_view)>
Value exists(Runtime& runtime, Value input, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {});
  return Value::boolean(input.is(Kind::string) && find(input.text()) != nullptr);
}

constexpr Native kTests[] = {
    {"defined", about<is_defined>},
    {"undefined", about<is<Kind::undefined>>},
    {"none", about<is<Kind::none>>},
    {"boolean", about<is<Kind::boolean>>},
    {"true", about<is_true>},
    {"false", about<is_false>},
    {"integer", about<is<Kind::integer>>},
    {"float", about<is<Kind::real>>},
    {"number", about<is_number>},
    {"string", about<is<Kind::string>>},
    {"mapping", about<is<Kind::dict>>},
    {"iterable", about<is_sequence>},
    {"sequence", about<is_sequence>},
    {"callable", about<is_callable>},
    {"escaped", about<never>},
    {"even", has_parity<0>},
    {"odd", has_parity<1>},
    {"divisibleby", divisible},
    {"upper", has_case<upper, lower>},
    {"lower", has_case<lower, upper>},
    {"eq", compared<Order::equal>},
    {"equalto", compared<Order::equal>},
    {"==", compared<Order::equal>},
    {"ne", compared<Order::unequal>},
    {"!=", compared<Order::unequal>},
    {"lt", compared<Order::less>},
    {"lessthan", compared<Order::less>},
    {"<", compared<Order::less>},
    {"le", compared<Order::at_most>},
    {"<=", compared<Order::at_most>},
    {"gt", compared<Order::greater>},
    {"greaterthan", compared<Order::greater>},
    {">", compared<Order::greater>},
    {"ge", compared<Order::at_least>},
    {">=", compared<Order::at_least>},
    {"in", is_in},
    {"sameas", same_as},
    {"filter", exists<find_filter>},
    {"test", exists<find_test>},
};

}  // namespace

const Native* find_test(std::string_view name) {
  return find_native(kTests, name);
}

}  // namespace bantam::templates
