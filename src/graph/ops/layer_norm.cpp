#include "graph/op.h"
#include "graph/ops.h"

// Layer normalisation (Ba et al. 2016):
//   y = z w + b,  z = (x - mean(x)) r,  r = (mean((x - mean(x))^2) + eps)^(-1/2)
// for each row of C elements.

namespace bantam {

extern const Op op_layer_norm, op_layer_norm_grad;

namespace {

bool is_float(DType t) {
  return t == DType::f32 || t == DType::bf16;
}

std::vector<Type> infer(const InferContext& c) {
  c.check_arity(3);
  c.check(is_float(c.type(0).dtype), "f32 or bf16");
  const Type column{DType::f32, {c.shape(0)[-1]}};
  c.check(c.type(1) == column && c.type(2) == column, "one f32 weight and bias for each column");
  return {c.requested(c.type(0))};
}

std::vector<Value> fallback(Graph& g, const Node& n) {
  const Value x = ops::cast(g, n.inputs[0], DType::f32);
  const double columns = static_cast<double>(g.shape(x)[-1].factor);
  const Value centred = ops::add_rows(g, x, ops::scale(g, ops::row_sum(g, x), -1 / columns));
  const Value squares = ops::row_sum(g, ops::mul(g, centred, centred));
  const Value variance = ops::scale(g, squares, 1 / columns);
  const Value r = ops::rsqrt(g, ops::shift(g, variance, n.attributes.real("eps")));
  const Value z = ops::mul_rows(g, centred, r);
  return {ops::cast(g, ops::add(g, ops::mul(g, z, n.inputs[1]), n.inputs[2]), n.outputs[0].dtype)};
}

// dx = r (w dy - mean(w dy) - z mean(z w dy)),  dw = sum over rows of z dy,  db = sum of dy
std::vector<Value> gradient(const GradientContext& c) {
  return c.graph.add_multi(op_layer_norm_grad, {c.input(0), c.input(1), c.output_gradients[0]},
                           {{"eps", c.attributes().real("eps")}});
}

std::vector<Type> infer_grad(const InferContext& c) {
  c.check_arity(3);
  c.check(c.shape(0) == c.shape(2), "x and dy of one shape");
  return {{c.type(0).dtype, c.shape(0)}, {DType::f32, c.shape(1)}, {DType::f32, c.shape(1)}};
}

}  // namespace

const Op op_layer_norm{.name = "layer_norm",
                       .infer = infer,
                       .gradient = gradient,
                       .fallback = fallback,
                       .onnx = "LayerNormalization"};
const Op op_layer_norm_grad{.name = "layer_norm_grad", .infer = infer_grad};

Value ops::layer_norm(Graph& g, Value x, Value weight, Value bias, double eps, DType out) {
  return g.add(op_layer_norm, {x, weight, bias},
               {{"eps", eps}, {"out", static_cast<int64_t>(out)}});
}

}  // namespace bantam
