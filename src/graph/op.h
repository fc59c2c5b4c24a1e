#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "graph/graph.h"

namespace bantam {

// What a shape rule sees. `check` throws ErrorKind::model: "[op] expected ..., got ...".
struct InferContext {
  const Graph& graph;
  const Op& op;
  std::span<const Value> inputs;
  const Attributes& attributes;

  [[nodiscard]] const Type& type(size_t i) const { return graph.type(inputs[i]); }
  [[nodiscard]] const SymShape& shape(size_t i) const { return type(i).shape; }
  void check(bool condition, std::string_view expected) const;
  void check_arity(size_t n) const { check_arity(n, n); }
  void check_arity(size_t least, size_t most) const;
  // The type of an output that the attribute "out" may ask for in another type than `t`: a float
  // type, or q8a, whose rows are whole blocks.
  [[nodiscard]] Type requested(const Type& t) const;
};

// What a gradient rule sees: the graph to add to, the node, and the gradient of each of its outputs
// (undefined where no gradient arrives).
struct GradientContext {
  Graph& graph;
  const Node& node;
  std::span<const Value> outputs;  // the node's own outputs
  std::span<const Value> output_gradients;
  // Which inputs need a gradient; rules may skip work for the others.
  std::span<const bool> wanted;

  [[nodiscard]] Value input(size_t i) const { return node.inputs[i]; }
  [[nodiscard]] const Attributes& attributes() const { return node.attributes; }
};

// An operation, declared once. Shape, gradient and fallback live in the op's own file under
// graph/ops/; kernels are bound to `name` by each back end.
struct Op {
  std::string_view name;
  // Types of the outputs. Must check everything that kernels rely on.
  std::vector<Type> (*infer)(const InferContext&) = nullptr;
  // Gradients of the inputs, one per input, undefined where there is none. Null: take the gradient
  // of the fallback, or, where there is none either, the op is not differentiable.
  std::vector<Value> (*gradient)(const GradientContext&) = nullptr;
  // The same computation in plain ops: specification, portable path, test oracle. Null: primitive.
  std::vector<Value> (*fallback)(Graph&, const Node&) = nullptr;
  // Output 0 may be written over this input's memory when nothing else needs it; -1: never.
  // `inplace2` is a second candidate.
  int inplace = -1;
  int inplace2 = -1;
  // Output 0 *is* the memory of this input: views (reshape) and updates of a state. -1: no.
  int alias = -1;
  // Writes to a state: never removed, merged or reordered against others on that state.
  bool effect = false;
  // Leaves have no inputs and no step.
  bool leaf = false;
  // Weights and keys among its inputs may be interleaved (tensor/layout.h).
  bool reads_interleaved = false;
  // ONNX operator that the plain op exports to; empty: exported through its fallback.
  std::string_view onnx{};
};

// Every op there is, by name; null if unknown. Tests walk the whole table.
std::span<const Op* const> all_ops();
const Op* find_op(std::string_view name);

}  // namespace bantam
