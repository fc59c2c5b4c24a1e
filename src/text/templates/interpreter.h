#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/templates/function.h"
#include "text/templates/syntax.h"

namespace bantam::templates {

// The names that a block sees: its own, then those of the block around it.
struct Scope final : Object {
  explicit Scope(Scope* p) : parent(p) {}
  [[nodiscard]] const Value* find(std::string_view name) const;
  void set(std::string_view name, Value value);

  Scope* parent;
  // The names are those of the syntax tree or of the variables, which outlive a rendering.
  std::vector<std::pair<std::string_view, Value>> names;
};

// Carries a template out. What loops, macros and blocks may see follows Jinja: `if` shares the
// scope around it, everything else has its own; macros see what stands around their definition.
class Interpreter {
 public:
  using Spans = std::vector<std::pair<size_t, size_t>>;
  Interpreter(Runtime& runtime, std::string& out, Spans& generated)
      : runtime_(runtime), out_(&out), page_(&out), generated_(generated) {}

  void run(const Body& body, Scope& scope) { run_all(body, scope); }
  // What a call of a macro gives.
  Value call_macro(const Signature& macro, Scope& closure, const Arguments& arguments);
  // What loop(items) gives in a recursive loop.
  Value recurse(const For& loop, Scope& scope, Value items, int64_t depth);

 private:
  enum class Flow { on, leave_loop, next_item };

  Flow run_all(const Body& body, Scope& scope);
  Flow run_one(const Statement& statement, Scope& scope);
  Flow carry_out(const Text& node, Scope& scope, int line);
  Flow carry_out(const Print& node, Scope& scope, int line);
  Flow carry_out(const If& node, Scope& scope, int line);
  Flow carry_out(const For& node, Scope& scope, int line);
  Flow carry_out(const Set& node, Scope& scope, int line);
  Flow carry_out(const SetBlock& node, Scope& scope, int line);
  Flow carry_out(const MacroDefinition& node, Scope& scope, int line);
  Flow carry_out(const CallBlock& node, Scope& scope, int line);
  Flow carry_out(const FilterBlock& node, Scope& scope, int line);
  Flow carry_out(const With& node, Scope& scope, int line);
  Flow carry_out(const Generation& node, Scope& scope, int line);
  Flow carry_out(const Break& node, Scope& scope, int line);
  Flow carry_out(const Continue& node, Scope& scope, int line);

  Value evaluate(const Expression& e, Scope& scope);
  Value value_of(const Literal& node, Scope& scope, int line);
  Value value_of(const Name& node, Scope& scope, int line);
  Value value_of(const Listing& node, Scope& scope, int line);
  Value value_of(const Mapping& node, Scope& scope, int line);
  Value value_of(const Attribute& node, Scope& scope, int line);
  Value value_of(const Item& node, Scope& scope, int line);
  Value value_of(const Sliced& node, Scope& scope, int line);
  Value value_of(const Call& node, Scope& scope, int line);
  Value value_of(const Filtered& node, Scope& scope, int line);
  Value value_of(const Tested& node, Scope& scope, int line);
  Value value_of(const Unary& node, Scope& scope, int line);
  Value value_of(const Arithmetic& node, Scope& scope, int line);
  Value value_of(const Logical& node, Scope& scope, int line);
  Value value_of(const Concatenation& node, Scope& scope, int line);
  Value value_of(const Comparison& node, Scope& scope, int line);
  Value value_of(const Conditional& node, Scope& scope, int line);

  Flow loop_over(const For& node, Scope& scope, Value items, int64_t depth, int line);
  std::vector<Value> wanted(const For& node, Scope& scope, Value items);
  void assign(const Target& target, Value value, Scope& scope);
  Arguments arguments(const ArgumentList& list, Scope& scope);
  Value call(const Call& node, Scope& scope, int line, Arguments&& given);
  Value filtered(const Expression& filter, Value text, Scope& scope);
  bool holds(Comparison::Op op, Value a, Value b);
  Scope& inner(Scope& scope) { return runtime_.make<Scope>(&scope); }
  void write(std::string_view text);
  // The text that a block writes, instead of writing it.
  std::string captured(const Body& body, Scope& scope);

  Runtime& runtime_;
  std::string* out_;
  const std::string* page_;  // the output itself, as opposed to a block that is captured
  Spans& generated_;
  Value filter_input_;  // of `{% filter %}` and `{% set x | f %}`
};

}  // namespace bantam::templates
