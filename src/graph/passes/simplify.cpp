#include <cmath>
#include <map>
#include <optional>

#include "base/error.h"
#include "graph/op.h"
#include "graph/ops.h"
#include "graph/passes.h"
#include "graph/passes/rewrite.h"

// Dead code, common subexpressions and constants.

namespace bantam {

Graph eliminate_dead_code(const Graph& g) {
  std::vector<bool> live(static_cast<size_t>(g.size()));
  for (const Graph::Output& o : g.outputs()) live[static_cast<size_t>(o.value.node)] = true;
  for (int32_t i = g.size() - 1; i >= 0; --i) {
    if (g.node(i).op->effect) live[static_cast<size_t>(i)] = true;
    if (!live[static_cast<size_t>(i)]) continue;
    for (const Value& v : g.node(i).inputs) live[static_cast<size_t>(v.node)] = true;
  }
  Rewrite r(g);
  for (int32_t i = 0; i < g.size(); ++i) {
    if (live[static_cast<size_t>(i)] && !r.is_mapped({i, 0})) r.keep(i);
  }
  return r.finish();
}

namespace {

std::string identity(const Node& n, const std::vector<Value>& inputs) {
  std::string key(n.op->name);
  for (const Value& v : inputs) key += fmt::format(" %{}.{}", v.node, v.output);
  for (const auto& [name, value] : n.attributes.entries()) {
    key += fmt::format(" {}=", name);
    std::visit([&](const auto& x) { key += fmt::format("{}", x); }, value);
  }
  return key;
}

}  // namespace

Graph eliminate_common_subexpressions(const Graph& g) {
  Rewrite r(g);
  std::map<std::string, int32_t> seen;  // identity -> new node
  for (int32_t i = 0; i < g.size(); ++i) {
    const Node& n = g.node(i);
    if (r.is_mapped({i, 0})) continue;
    const bool named_leaf = n.op->leaf && !n.name.empty();
    if (n.op->effect || named_leaf) {
      r.keep(i);
      continue;
    }
    const std::string key = identity(n, r.map(n.inputs));
    const auto [found, is_new] = seen.try_emplace(key, 0);
    if (is_new) {
      r.keep(i);
      found->second = r.map({i, 0}).node;
    } else {
      for (int32_t k = 0; k < static_cast<int32_t>(n.outputs.size()); ++k) {
        r.set({i, k}, {found->second, k});
      }
    }
  }
  return r.finish();
}

namespace {

std::optional<double> constant_value(const Graph& g, Value v) {
  const Node& n = g.node(v);
  if (n.op->name != "constant") return std::nullopt;
  return n.attributes.real("value");
}

// The value of an op on scalars, if it is one of those worth folding.
std::optional<double> evaluate(const Node& n, std::span<const double> x) {
  const std::string_view op = n.op->name;
  if (op == "scale") return x[0] * n.attributes.real("factor");
  if (op == "shift") return x[0] + n.attributes.real("amount");
  if (op == "exp") return std::exp(x[0]);
  if (op == "log") return std::log(x[0]);
  if (op == "rsqrt") return 1 / std::sqrt(x[0]);
  if (op == "reciprocal") return 1 / x[0];
  if (op == "add") return x[0] + x[1];
  if (op == "sub") return x[0] - x[1];
  if (op == "mul") return x[0] * x[1];
  return std::nullopt;
}

// A simpler value that equals the node, looked for among its (already simplified) inputs.
Value simplify(Graph& g, const Node& n, const std::vector<Value>& in) {
  std::vector<double> constants;
  for (const Value& v : in) {
    if (const auto c = constant_value(g, v)) constants.push_back(*c);
  }
  const bool scalar = n.outputs[0].shape == SymShape{1} && n.outputs[0].dtype == DType::f32;
  if (!in.empty() && constants.size() == in.size() && scalar) {
    if (const auto y = evaluate(n, constants)) return g.constant(static_cast<float>(*y));
  }
  const std::string_view op = n.op->name;
  if (op == "shift" && n.attributes.real("amount") == 0) return in[0];
  if (op == "scale" && n.attributes.real("factor") == 1) return in[0];
  if (op == "scale" && g.node(in[0]).op->name == "scale") {
    const double factor = n.attributes.real("factor") * g.node(in[0]).attributes.real("factor");
    return ops::scale(g, g.node(in[0]).inputs[0], factor);
  }
  if (op == "mul") {
    if (const auto c = constant_value(g, in[1])) {
      return *c == 1 ? in[0] : ops::scale(g, in[0], *c);
    }
  }
  if (op == "add" && constant_value(g, in[1]) == 0.0) return in[0];
  return {};
}

}  // namespace

Graph fold_constants(const Graph& g) {
  Rewrite r(g);
  for (int32_t i = 0; i < g.size(); ++i) {
    const Node& n = g.node(i);
    if (r.is_mapped({i, 0})) continue;
    r.to().set_segment(n.segment);
    r.to().set_backward(n.backward);
    const bool foldable = !n.op->leaf && !n.op->effect && n.outputs.size() == 1;
    const Value simpler = foldable ? simplify(r.to(), n, r.map(n.inputs)) : Value{};
    if (simpler.defined()) {
      r.set({i, 0}, simpler);
    } else {
      r.keep(i);
    }
  }
  return r.finish();
}

Graph expand_fallbacks(const Graph& g, bool (*expand)(const Op&)) {
  Rewrite r(g);
  bool expanded = false;
  for (int32_t i = 0; i < g.size(); ++i) {
    const Node& n = g.node(i);
    if (r.is_mapped({i, 0})) continue;
    if (n.op->fallback == nullptr || !expand(*n.op)) {
      r.keep(i);
      continue;
    }
    expanded = true;
    r.to().set_segment(n.segment);
    r.to().set_backward(n.backward);
    Node moved = n;
    moved.inputs = r.map(n.inputs);
    const std::vector<Value> values = n.op->fallback(r.to(), moved);
    for (size_t k = 0; k < values.size(); ++k) r.set({i, static_cast<int32_t>(k)}, values[k]);
  }
  Graph result = r.finish();
  // A fallback may itself use fused ops.
  return expanded ? expand_fallbacks(result, expand) : std::move(result);
}

Graph optimize(const Graph& g, bool training) {
  Graph result = eliminate_common_subexpressions(fold_constants(g));
  if (!training) {
    result = quantize_activations(fuse_projections(result));
    result = fuse_steps(eliminate_common_subexpressions(result));
  }
  return eliminate_dead_code(result);
}

}  // namespace bantam
