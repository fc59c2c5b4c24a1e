#include "graph/op.h"
#include "graph/ops.h"

// y = min(max(x, low), high); the gradient passes where x lies between.

namespace bantam {

extern const Op op_clamp, op_clamp_grad;

namespace {

std::vector<Type> infer(const InferContext& c) {
  c.check_arity(1);
  c.check(c.type(0).dtype == DType::f32, "f32");
  c.check(c.attributes.real("low") <= c.attributes.real("high"), "low <= high");
  return {c.type(0)};
}

std::vector<Value> gradient(const GradientContext& c) {
  return {c.graph.add(op_clamp_grad, {c.input(0), c.output_gradients[0]}, c.attributes())};
}

std::vector<Type> infer_grad(const InferContext& c) {
  c.check_arity(2);
  c.check(c.type(0) == c.type(1), "x and dy of one type");
  return {c.type(0)};
}

}  // namespace

const Op op_clamp{
    .name = "clamp", .infer = infer, .gradient = gradient, .inplace = 0, .onnx = "Clip"};
const Op op_clamp_grad{.name = "clamp_grad", .infer = infer_grad};

Value ops::clamp(Graph& g, Value x, double low, double high) {
  return g.add(op_clamp, {x}, {{"low", low}, {"high", high}});
}

}  // namespace bantam
