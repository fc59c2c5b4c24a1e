#include "graph/op.h"
#include "graph/ops.h"

// y = ln(1 + e^x), y' = sigmoid(x): makes a step size positive.

namespace bantam {
namespace {

std::vector<Type> infer(const InferContext& c) {
  c.check_arity(1);
  c.check(c.type(0).dtype == DType::f32 || c.type(0).dtype == DType::bf16, "f32 or bf16");
  return {c.type(0)};
}

std::vector<Value> gradient(const GradientContext& c) {
  return {ops::mul(c.graph, c.output_gradients[0], ops::sigmoid(c.graph, c.input(0)))};
}

}  // namespace

extern const Op op_softplus;
const Op op_softplus{
    .name = "softplus", .infer = infer, .gradient = gradient, .inplace = 0, .onnx = "Softplus"};

Value ops::softplus(Graph& g, Value x) {
  return g.add(op_softplus, {x});
}

}  // namespace bantam
