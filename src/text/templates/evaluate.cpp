// The expressions of a template.
#include "text/templates/interpreter.h"
#include "text/templates/operators.h"
#include "text/templates/printing.h"

namespace bantam::templates {
namespace {

// What messages call the thing that is called.
std::string_view called(const Expression& function) {
  if (const auto* name = std::get_if<Name>(&function.node)) return name->name;
  if (const auto* attribute = std::get_if<Attribute>(&function.node)) return attribute->name;
  return "(...)";
}

size_t weight(const Arguments& arguments) {
  size_t sum = 0;
  for (const Value& v : arguments.positional) sum += weight(v);
  for (const auto& [unused, v] : arguments.named) sum += weight(v);
  return sum;
}

}  // namespace

Value Interpreter::evaluate(const Expression& e, Scope& scope) {
  const Runtime::Nested nested(runtime_);
  runtime_.step();
  return std::visit(
      [&](const auto& node) {
        const Value value = value_of(node, scope, e.line);
        return value;
      },
      e.node);
}

Value Interpreter::value_of(const Literal& node, Scope& /*scope*/, int /*line*/) {
  return node.value;
}

Value Interpreter::value_of(const Name& node, Scope& scope, int /*line*/) {
  if (const Value* found = scope.find(node.name)) return *found;
  if (const Native* global = find_global(node.name)) {
    return Value::function(runtime_.make<NativeFunction>(*global, Value()));
  }
  return runtime_.undefined(node.name);
}

Value Interpreter::value_of(const Listing& node, Scope& scope, int /*line*/) {
  std::vector<Value> items;
  for (const Expression* item : node.items) items.push_back(evaluate(*item, scope));
  return node.tuple ? runtime_.tuple(std::move(items)) : runtime_.list(std::move(items));
}

Value Interpreter::value_of(const Mapping& node, Scope& scope, int line) {
  Dict& dict = runtime_.dict();
  for (const auto& [key, value] : node.entries) {
    const Value k = evaluate(*key, scope);
    const Value v = evaluate(*value, scope);
    runtime_.at_line(line);
    runtime_.set(dict, k, v);
  }
  return Value::dict(dict);
}

Value Interpreter::value_of(const Attribute& node, Scope& scope, int line) {
  const Value of = evaluate(*node.of, scope);
  const Runtime::At at(runtime_, line, "attribute", node.name);
  return attribute(runtime_, of, node.name);
}

Value Interpreter::value_of(const Item& node, Scope& scope, int line) {
  const Value of = evaluate(*node.of, scope);
  const Value key = evaluate(*node.key, scope);
  const Runtime::At at(runtime_, line, "subscript", "[]");
  return item(runtime_, of, key);
}

Value Interpreter::value_of(const Sliced& node, Scope& scope, int line) {
  const Value of = evaluate(*node.of, scope);
  const auto bound = [&](const Expression* e) -> std::optional<int64_t> {
    if (e == nullptr) return {};
    const Value value = evaluate(*e, scope);
    if (value.is(Kind::none)) return {};
    if (!value.is(Kind::integer) && !value.is(Kind::boolean)) {
      runtime_.fail("slice: expected an integer, got {}", kind_name(value.kind()));
    }
    return value.as_integer();
  };
  const Slice range{bound(node.begin), bound(node.end), bound(node.step)};
  const Runtime::At at(runtime_, line, "slice", "[:]");
  return slice(runtime_, of, range);
}

Arguments Interpreter::arguments(const ArgumentList& list, Scope& scope) {
  Arguments given;
  for (const Argument& argument : list) {
    const Value value = evaluate(*argument.value, scope);
    switch (argument.form) {
      case Argument::Form::positional:
        given.positional.push_back(value);
        break;
      case Argument::Form::named:
        given.named.emplace_back(argument.name, value);
        break;
      case Argument::Form::list:
        for (const Value& one : iterate(runtime_, value)) given.positional.push_back(one);
        break;
      case Argument::Form::mapping:
        if (!value.is(Kind::dict)) {
          runtime_.fail("\"**\": expected a mapping, got {}", kind_name(value.kind()));
        }
        for (const Dict::Entry& entry : value.entries().entries) {
          given.named.emplace_back(text_of(runtime_, entry.key), entry.value);
        }
        break;
    }
  }
  return given;
}

Value Interpreter::call(const Call& node, Scope& scope, int line, Arguments&& given) {
  const Value callee = evaluate(*node.function, scope);
  const Runtime::At at(runtime_, line, "function", called(*node.function));
  Function* function = callee.is(Kind::function)     ? &callee.function()
                       : callee.is(Kind::attributes) ? callee.attributes().callable()
                                                     : nullptr;
  if (function == nullptr) {
    runtime_.fail("expected something that can be called, got {}", kind_name(callee.kind()));
  }
  size_t touched = weight(given);
  if (const auto* native = dynamic_cast<const NativeFunction*>(function)) {
    touched += templates::weight(native->self);
  }
  runtime_.step(touched);
  return function->call(runtime_, given);
}

Value Interpreter::value_of(const Call& node, Scope& scope, int line) {
  return call(node, scope, line, arguments(node.arguments, scope));
}

Value Interpreter::value_of(const Filtered& node, Scope& scope, int /*line*/) {
  const Value input = node.input != nullptr ? evaluate(*node.input, scope) : filter_input_;
  const Arguments given = arguments(node.filter.arguments, scope);
  const Runtime::At at(runtime_, node.filter.line, "filter", node.filter.name);
  const Native* filter = find_filter(node.filter.name);
  if (filter == nullptr) runtime_.fail("there is no such filter");
  runtime_.step(templates::weight(input) + weight(given));
  return filter->code(runtime_, input, given);
}

Value Interpreter::value_of(const Tested& node, Scope& scope, int /*line*/) {
  const Value input = evaluate(*node.input, scope);
  const Arguments given = arguments(node.test.arguments, scope);
  const Runtime::At at(runtime_, node.test.line, "test", node.test.name);
  const Native* test = find_test(node.test.name);
  if (test == nullptr) runtime_.fail("there is no such test");
  runtime_.step(weight(given));
  const bool holds = truthy(test->code(runtime_, input, given));
  return Value::boolean(holds != node.negated);
}

Value Interpreter::value_of(const Unary& node, Scope& scope, int line) {
  const Value operand = evaluate(*node.operand, scope);
  runtime_.at_line(line);
  switch (node.op) {
    case Unary::Op::logical_not:
      return Value::boolean(!truthy(operand));
    case Unary::Op::negate:
      return negate(runtime_, operand);
    case Unary::Op::plus:
      if (!operand.is_number()) {
        runtime_.fail("\"+\": expected a number, got {}", kind_name(operand.kind()));
      }
      return operand.is(Kind::real) ? operand : Value::integer(operand.as_integer());
  }
  return {};
}

Value Interpreter::value_of(const Arithmetic& node, Scope& scope, int line) {
  const Value left = evaluate(*node.left, scope);
  const Value right = evaluate(*node.right, scope);
  runtime_.at_line(line);
  return arithmetic(runtime_, node.op, left, right);
}

Value Interpreter::value_of(const Logical& node, Scope& scope, int /*line*/) {
  const Value left = evaluate(*node.left, scope);
  return truthy(left) == node.conjunction ? evaluate(*node.right, scope) : left;
}

Value Interpreter::value_of(const Concatenation& node, Scope& scope, int /*line*/) {
  std::string text;
  for (const Expression* part : node.parts) {
    const Value value = evaluate(*part, scope);
    const std::string one = text_of(runtime_, value);
    runtime_.step(one.size());
    runtime_.allocate(one.size());
    text += one;
  }
  return runtime_.string(std::move(text));
}

bool Interpreter::holds(Comparison::Op op, Value a, Value b) {
  switch (op) {
    case Comparison::Op::equal:
      return equal(runtime_, a, b);
    case Comparison::Op::unequal:
      return !equal(runtime_, a, b);
    case Comparison::Op::less:
      return less(runtime_, a, b);
    case Comparison::Op::greater:
      return less(runtime_, b, a);
    // Not the opposites of the two above: nothing holds for NaN.
    case Comparison::Op::at_most:
      return less(runtime_, a, b) || equal(runtime_, a, b);
    case Comparison::Op::at_least:
      return less(runtime_, b, a) || equal(runtime_, a, b);
    case Comparison::Op::in:
      return contains(runtime_, b, a);
    case Comparison::Op::not_in:
      return !contains(runtime_, b, a);
  }
  return false;
}

Value Interpreter::value_of(const Comparison& node, Scope& scope, int line) {
  Value left = evaluate(*node.first, scope);
  for (const auto& [op, operand] : node.rest) {
    const Value right = evaluate(*operand, scope);
    runtime_.at_line(line);
    if (!holds(op, left, right)) return Value::boolean(false);
    left = right;
  }
  return Value::boolean(true);
}

Value Interpreter::value_of(const Conditional& node, Scope& scope, int line) {
  if (truthy(evaluate(*node.condition, scope))) return evaluate(*node.chosen, scope);
  if (node.otherwise != nullptr) return evaluate(*node.otherwise, scope);
  runtime_.at_line(line);
  return runtime_.undefined("the value of an if without else");
}

}  // namespace bantam::templates
