#include "graph/op.h"
#include "graph/ops.h"

// The gated unit of Llama-type feed-forward blocks (Shazeer 2020): y = silu(gate) up.

namespace bantam {

extern const Op op_swiglu, op_swiglu_grad;

namespace {

std::vector<Type> infer(const InferContext& c) {
  c.check_arity(2);
  c.check(c.type(0) == c.type(1), "gate and up of one type");
  c.check(c.type(0).dtype == DType::f32 || c.type(0).dtype == DType::bf16, "f32 or bf16");
  return {c.requested(c.type(0))};
}

std::vector<Value> fallback(Graph& g, const Node& n) {
  const Value y = ops::mul(g, ops::silu(g, n.inputs[0]), n.inputs[1]);
  return {ops::cast(g, y, n.outputs[0].dtype)};
}

// dup = silu(gate) dy,  dgate = up silu'(gate) dy,  silu' = s (1 + gate (1 - s))
std::vector<Value> gradient(const GradientContext& c) {
  const Value dy = ops::cast(c.graph, c.output_gradients[0], c.graph.dtype(c.input(0)));
  return c.graph.add_multi(op_swiglu_grad, {c.input(0), c.input(1), dy});
}

std::vector<Type> infer_grad(const InferContext& c) {
  c.check_arity(3);
  c.check(c.type(0) == c.type(1) && c.type(0) == c.type(2), "gate, up and dy of one type");
  return {c.type(0), c.type(1)};
}

}  // namespace

const Op op_swiglu{.name = "swiglu",
                   .infer = infer,
                   .gradient = gradient,
                   .fallback = fallback,
                   .inplace = 0,
                   .inplace2 = 1};
const Op op_swiglu_grad{.name = "swiglu_grad", .infer = infer_grad};

Value ops::swiglu(Graph& g, Value gate, Value up) {
  return g.add(op_swiglu, {gate, up});
}

}  // namespace bantam
