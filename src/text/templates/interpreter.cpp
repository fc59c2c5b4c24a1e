#include "text/templates/interpreter.h"

#include <algorithm>

#include "text/templates/loop.h"
#include "text/templates/operators.h"
#include "text/templates/printing.h"

namespace bantam::templates {
namespace {

struct Macro final : Function {
  Macro(Interpreter& i, const Signature& s, Scope& c) : interpreter(i), signature(s), closure(c) {}
  Value call(Runtime& /*runtime*/, const Arguments& arguments) override {
    return interpreter.call_macro(signature, closure, arguments);
  }
  [[nodiscard]] std::string name() const override { return signature.name; }

  Interpreter& interpreter;
  const Signature& signature;
  Scope& closure;
};

struct Recursion final : Function {
  Recursion(Interpreter& i, const For& f, Scope& s, int64_t d)
      : interpreter(i), loop(f), scope(s), depth(d) {}
  Value call(Runtime& runtime, const Arguments& arguments) override {
    const Parameters p(runtime, arguments, {"items"}, 1);
    return interpreter.recurse(loop, scope, p.at(0), depth + 1);
  }
  [[nodiscard]] std::string name() const override { return "loop"; }

  Interpreter& interpreter;
  const For& loop;
  Scope& scope;
  int64_t depth;
};

}  // namespace

const Value* Scope::find(std::string_view name) const {
  for (const Scope* scope = this; scope != nullptr; scope = scope->parent) {
    for (const auto& [known, value] : scope->names) {
      if (known == name) return &value;
    }
  }
  return nullptr;
}

void Scope::set(std::string_view name, Value value) {
  for (auto& [known, old] : names) {
    if (known == name) {
      old = value;
      return;
    }
  }
  names.emplace_back(name, value);
}

void Interpreter::write(std::string_view text) {
  runtime_.step(text.size());
  runtime_.allocate(text.size());
  out_->append(text);
}

std::string Interpreter::captured(const Body& body, Scope& scope) {
  std::string text;
  std::string* const out = std::exchange(out_, &text);
  run_all(body, scope);
  out_ = out;
  return text;
}

Interpreter::Flow Interpreter::run_all(const Body& body, Scope& scope) {
  for (const Statement* statement : body) {
    const Flow flow = run_one(*statement, scope);
    if (flow != Flow::on) return flow;
  }
  return Flow::on;
}

Interpreter::Flow Interpreter::run_one(const Statement& statement, Scope& scope) {
  const Runtime::Nested nested(runtime_);
  runtime_.at_line(statement.line);
  runtime_.step();
  return std::visit([&](const auto& node) { return carry_out(node, scope, statement.line); },
                    statement.node);
}

Interpreter::Flow Interpreter::carry_out(const Text& node, Scope& /*scope*/, int /*line*/) {
  write(node.text);
  return Flow::on;
}

Interpreter::Flow Interpreter::carry_out(const Print& node, Scope& scope, int /*line*/) {
  write(text_of(runtime_, evaluate(*node.value, scope)));
  return Flow::on;
}

Interpreter::Flow Interpreter::carry_out(const If& node, Scope& scope, int /*line*/) {
  for (const auto& [condition, body] : node.branches) {
    if (truthy(evaluate(*condition, scope))) return run_all(body, scope);
  }
  return run_all(node.otherwise, scope);
}

std::vector<Value> Interpreter::wanted(const For& node, Scope& scope, Value items) {
  std::vector<Value> all = iterate(runtime_, items);
  if (node.condition == nullptr) return all;
  std::vector<Value> kept;
  for (const Value item : all) {
    Scope& own = inner(scope);
    assign(node.target, item, own);
    if (truthy(evaluate(*node.condition, own))) kept.push_back(item);
  }
  return kept;
}

Interpreter::Flow Interpreter::carry_out(const For& node, Scope& scope, int line) {
  const Value items = evaluate(*node.items, scope);
  runtime_.at_line(line);
  return loop_over(node, scope, items, 0, line);
}

Interpreter::Flow Interpreter::loop_over(const For& node, Scope& scope, Value items, int64_t depth,
                                         int line) {
  std::vector<Value> all;
  {
    const Runtime::At at(runtime_, line, "loop", "for");
    all = wanted(node, scope, items);
  }
  runtime_.allocate(all.size() * sizeof(Value));
  Function* recursion =
      node.recursive ? &runtime_.make<Recursion>(*this, node, scope, depth) : nullptr;
  Loop& loop = runtime_.make<Loop>(std::move(all), depth, recursion);
  if (loop.items.empty()) return run_all(node.otherwise, inner(scope));
  for (; loop.index < loop.items.size(); ++loop.index) {
    runtime_.at_line(line);
    runtime_.step();
    Scope& own = inner(scope);
    own.set("loop", Value::attributes(loop));
    assign(node.target, loop.items[loop.index], own);
    if (run_all(node.body, own) == Flow::leave_loop) break;
  }
  return Flow::on;
}

Value Interpreter::recurse(const For& loop, Scope& scope, Value items, int64_t depth) {
  const Runtime::Nested nested(runtime_);
  std::string text;
  std::string* const out = std::exchange(out_, &text);
  loop_over(loop, scope, items, depth, runtime_.line());
  out_ = out;
  return runtime_.string(std::move(text));
}

void Interpreter::assign(const Target& target, Value value, Scope& scope) {
  if (target.parts.empty() && target.attribute.empty()) {
    runtime_.allocate(sizeof(std::pair<std::string_view, Value>));
    return scope.set(target.name, value);
  }
  if (!target.attribute.empty()) {
    const Value* object = scope.find(target.name);
    if (object == nullptr || !object->is(Kind::attributes) || !object->attributes().assignable()) {
      runtime_.fail("\"{}.{}\": expected a namespace to assign to, got {}", target.name,
                    target.attribute, object == nullptr ? "undefined" : kind_name(object->kind()));
    }
    runtime_.allocate(sizeof(Value) + target.attribute.size());
    return object->attributes().set(target.attribute, value);
  }
  const std::vector<Value> values = iterate(runtime_, value);
  if (values.size() != target.parts.size()) {
    runtime_.fail("expected {} values to assign, got {}", target.parts.size(), values.size());
  }
  for (size_t i = 0; i < values.size(); ++i) assign(target.parts[i], values[i], scope);
}

Interpreter::Flow Interpreter::carry_out(const Set& node, Scope& scope, int line) {
  const Value value = evaluate(*node.value, scope);
  runtime_.at_line(line);
  assign(node.target, value, scope);
  return Flow::on;
}

Value Interpreter::filtered(const Expression& filter, Value text, Scope& scope) {
  const Value outer = std::exchange(filter_input_, text);
  const Value result = evaluate(filter, scope);
  filter_input_ = outer;
  return result;
}

Interpreter::Flow Interpreter::carry_out(const SetBlock& node, Scope& scope, int /*line*/) {
  Value value = runtime_.string(captured(node.body, inner(scope)));
  if (node.filter != nullptr) value = filtered(*node.filter, value, scope);
  assign(node.target, value, scope);
  return Flow::on;
}

Interpreter::Flow Interpreter::carry_out(const MacroDefinition& node, Scope& scope, int /*line*/) {
  scope.set(node.macro.name, Value::function(runtime_.make<Macro>(*this, node.macro, scope)));
  return Flow::on;
}

Interpreter::Flow Interpreter::carry_out(const CallBlock& node, Scope& scope, int line) {
  const auto& call_node = std::get<Call>(node.call->node);
  Arguments given = arguments(call_node.arguments, scope);
  given.named.emplace_back("caller",
                           Value::function(runtime_.make<Macro>(*this, node.caller, scope)));
  write(text_of(runtime_, call(call_node, scope, line, std::move(given))));
  return Flow::on;
}

Interpreter::Flow Interpreter::carry_out(const FilterBlock& node, Scope& scope, int /*line*/) {
  const Value text = runtime_.string(captured(node.body, inner(scope)));
  write(text_of(runtime_, filtered(*node.filter, text, scope)));
  return Flow::on;
}

Interpreter::Flow Interpreter::carry_out(const With& node, Scope& scope, int /*line*/) {
  Scope& own = inner(scope);
  for (const auto& [target, value] : node.assignments) {
    assign(target, evaluate(*value, scope), own);
  }
  return run_all(node.body, own);
}

Interpreter::Flow Interpreter::carry_out(const Generation& node, Scope& scope, int /*line*/) {
  const size_t begin = out_->size();
  const Flow flow = run_all(node.body, inner(scope));
  // Within a macro or a block that becomes a value, no one knows where the text will end up.
  if (out_ == page_) generated_.emplace_back(begin, out_->size());
  return flow;
}

Interpreter::Flow Interpreter::carry_out(const Break& /*node*/, Scope& /*scope*/, int /*line*/) {
  return Flow::leave_loop;
}

Interpreter::Flow Interpreter::carry_out(const Continue& /*node*/, Scope& /*scope*/, int /*line*/) {
  return Flow::next_item;
}

Value Interpreter::call_macro(const Signature& macro, Scope& closure, const Arguments& arguments) {
  const Runtime::Nested nested(runtime_);
  Scope& own = inner(closure);
  const size_t given = arguments.positional.size();
  const size_t count = macro.parameters.size();
  std::vector<bool> set(count, false);
  for (size_t i = 0; i < std::min(given, count); ++i) {
    own.set(macro.parameters[i].first, arguments.positional[i]);
    set[i] = true;
  }
  Dict& rest = runtime_.dict();
  for (const auto& [name, value] : arguments.named) {
    const auto found = std::find_if(macro.parameters.begin(), macro.parameters.end(),
                                    [&](const auto& p) { return p.first == name; });
    if (found != macro.parameters.end()) {
      own.set(found->first, value);
      set[static_cast<size_t>(found - macro.parameters.begin())] = true;
    } else if (name == "caller") {
      own.set("caller", value);
    } else {
      runtime_.set(rest, runtime_.string(name), value);
    }
  }
  for (size_t i = 0; i < count; ++i) {
    const auto& [name, otherwise] = macro.parameters[i];
    if (set[i]) continue;
    own.set(name, otherwise != nullptr ? evaluate(*otherwise, own) : runtime_.undefined(name));
  }
  std::vector<Value> more;
  if (given > count) {
    more.assign(arguments.positional.begin() + static_cast<ptrdiff_t>(count),
                arguments.positional.end());
  }
  own.set("varargs", runtime_.tuple(std::move(more)));
  own.set("kwargs", Value::dict(rest));
  return runtime_.string(captured(macro.body, own));
}

}  // namespace bantam::templates
