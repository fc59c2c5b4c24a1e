#include <numbers>

#include "graph/op.h"
#include "graph/ops.h"

// Activations around the normal distribution's cumulative function Phi: GELU (Hendrycks & Gimpel
// 2016) y = x Phi(x), with Phi(x) = (1 + erf(x / sqrt 2)) / 2, or by way of tanh as
//   Phi(x) ~ (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2,
// and what they are made of.

namespace bantam {
namespace {

std::vector<Type> infer(const InferContext& c) {
  c.check_arity(1);
  c.check(c.type(0).dtype == DType::f32 || c.type(0).dtype == DType::bf16, "f32 or bf16");
  return {c.type(0)};
}

// y = tanh x, y' = 1 - y^2
std::vector<Value> gradient_tanh(const GradientContext& c) {
  Graph& g = c.graph;
  const Value y = c.outputs[0], dy = c.output_gradients[0];
  return {ops::sub(g, dy, ops::mul(g, dy, ops::mul(g, y, y)))};
}

// y = erf x, y' = 2 / sqrt(pi) e^(-x^2)
std::vector<Value> gradient_erf(const GradientContext& c) {
  Graph& g = c.graph;
  const Value x = ops::cast(g, c.input(0), DType::f32);
  const Value bell = ops::exp(g, ops::scale(g, ops::mul(g, x, x), -1));
  const Value slope = ops::scale(g, bell, 2 * std::numbers::inv_sqrtpi);
  return {ops::mul(g, c.output_gradients[0], ops::cast(g, slope, g.dtype(c.input(0))))};
}

Value half_of_one_plus(Graph& g, Value x) {
  return ops::scale(g, ops::shift(g, x, 1), 0.5);
}

std::vector<Value> fallback_gelu(Graph& g, const Node& n) {
  const Value x = n.inputs[0];
  const Value cube = ops::mul(g, ops::mul(g, x, x), x);
  const Value inner = ops::add(g, x, ops::scale(g, cube, 0.044715));
  const double root = std::numbers::sqrt2 * std::numbers::inv_sqrtpi;
  return {ops::mul(g, x, half_of_one_plus(g, ops::tanh(g, ops::scale(g, inner, root))))};
}

std::vector<Value> fallback_gelu_erf(Graph& g, const Node& n) {
  const Value x = n.inputs[0];
  const Value phi = half_of_one_plus(g, ops::erf(g, ops::scale(g, x, 1 / std::numbers::sqrt2)));
  return {ops::mul(g, x, phi)};
}

}  // namespace

extern const Op op_tanh, op_erf, op_gelu, op_gelu_erf;
const Op op_tanh{
    .name = "tanh", .infer = infer, .gradient = gradient_tanh, .inplace = 0, .onnx = "Tanh"};
const Op op_erf{
    .name = "erf", .infer = infer, .gradient = gradient_erf, .inplace = 0, .onnx = "Erf"};
const Op op_gelu{.name = "gelu", .infer = infer, .fallback = fallback_gelu, .inplace = 0};
const Op op_gelu_erf{
    .name = "gelu_erf", .infer = infer, .fallback = fallback_gelu_erf, .inplace = 0};

Value ops::tanh(Graph& g, Value x) {
  return g.add(op_tanh, {x});
}
Value ops::erf(Graph& g, Value x) {
  return g.add(op_erf, {x});
}
Value ops::gelu(Graph& g, Value x) {
  return g.add(op_gelu, {x});
}
Value ops::gelu_erf(Graph& g, Value x) {
  return g.add(op_gelu_erf, {x});
}
Value ops::softcap(Graph& g, Value x, double cap) {
  if (cap == 0) return x;
  return ops::scale(g, ops::tanh(g, ops::scale(g, x, 1 / cap)), cap);
}

}  // namespace bantam
