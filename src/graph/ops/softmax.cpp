#include "graph/op.h"
#include "graph/ops.h"

// y = e^x / sum(e^x) over the innermost extent; kernels subtract the maximum first.

namespace bantam {

extern const Op op_softmax, op_softmax_grad;

namespace {

std::vector<Type> infer(const InferContext& c) {
  c.check_arity(1);
  c.check(c.type(0).dtype == DType::f32, "f32");
  return {c.type(0)};
}

std::vector<Value> fallback(Graph& g, const Node& n) {
  const Value e = ops::exp(g, n.inputs[0]);
  return {ops::mul_rows(g, e, ops::reciprocal(g, ops::row_sum(g, e)))};
}

// dx = y (dy - sum(y dy))
std::vector<Value> gradient(const GradientContext& c) {
  return {c.graph.add(op_softmax_grad, {c.outputs[0], c.output_gradients[0]})};
}

std::vector<Type> infer_grad(const InferContext& c) {
  c.check_arity(2);
  c.check(c.type(0) == c.type(1), "y and dy of one type");
  return {c.type(0)};
}

}  // namespace

const Op op_softmax{.name = "softmax",
                    .infer = infer,
                    .gradient = gradient,
                    .fallback = fallback,
                    .inplace = 0,
                    .onnx = "Softmax"};
const Op op_softmax_grad{.name = "softmax_grad", .infer = infer_grad};

Value ops::softmax(Graph& g, Value x) {
  return g.add(op_softmax, {x});
}

}  // namespace bantam
