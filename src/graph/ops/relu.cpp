#include "graph/op.h"
#include "graph/ops.h"

// y = max(x, 0), y' = 1 where x > 0.

namespace bantam {

extern const Op op_relu, op_relu_grad;

namespace {

std::vector<Type> infer(const InferContext& c) {
  c.check_arity(1);
  c.check(c.type(0).dtype == DType::f32 || c.type(0).dtype == DType::bf16, "f32 or bf16");
  return {c.type(0)};
}

std::vector<Value> gradient(const GradientContext& c) {
  const Value dy = ops::cast(c.graph, c.output_gradients[0], c.graph.dtype(c.outputs[0]));
  return {c.graph.add(op_relu_grad, {c.outputs[0], dy})};
}

// dx = dy where y > 0
std::vector<Type> infer_grad(const InferContext& c) {
  c.check_arity(2);
  c.check(c.type(0) == c.type(1), "y and dy of one type");
  return {c.type(0)};
}

}  // namespace

const Op op_relu{
    .name = "relu", .infer = infer, .gradient = gradient, .inplace = 0, .onnx = "Relu"};
const Op op_relu_grad{.name = "relu_grad", .infer = infer_grad, .inplace = 1};

Value ops::relu(Graph& g, Value x) {
  return g.add(op_relu, {x});
}

}  // namespace bantam
