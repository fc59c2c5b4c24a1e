#include "graph/op.h"
#include "graph/ops.h"

// Root mean square layer normalisation (Zhang & Sennrich 2019):
//   y = x r w,  r = (mean(x^2) + eps)^(-1/2)  for each row of C elements,
// and the same of a residual sum, which it also gives.

namespace bantam {

extern const Op op_rms_norm, op_rms_norm_grad, op_add_rms_norm;

namespace {

bool is_float(DType t) {
  return t == DType::f32 || t == DType::bf16;
}

std::vector<Type> infer(const InferContext& c) {
  c.check_arity(2);
  c.check(is_float(c.type(0).dtype), "f32 or bf16");
  c.check(c.type(1) == Type{DType::f32, {c.shape(0)[-1]}}, "one f32 weight for each column");
  return {c.requested(c.type(0))};
}

std::vector<Value> fallback(Graph& g, const Node& n) {
  const Value x = ops::cast(g, n.inputs[0], DType::f32), w = n.inputs[1];
  const double columns = static_cast<double>(g.shape(x)[-1].factor);
  const Value mean_square = ops::scale(g, ops::row_sum(g, ops::mul(g, x, x)), 1 / columns);
  const Value r = ops::rsqrt(g, ops::shift(g, mean_square, n.attributes.real("eps")));
  const Value y = ops::mul(g, ops::mul_rows(g, x, r), w);
  return {ops::cast(g, y, n.outputs[0].dtype)};
}

// dx = r (w dy - x r^2 mean(x w dy)),  dw = sum over rows of x r dy
std::vector<Value> gradient(const GradientContext& c) {
  return c.graph.add_multi(op_rms_norm_grad, {c.input(0), c.input(1), c.output_gradients[0]},
                           {{"eps", c.attributes().real("eps")}});
}

std::vector<Type> infer_add(const InferContext& c) {
  c.check_arity(3);
  c.check(c.type(0).dtype == DType::f32 && c.type(0) == c.type(1), "two f32 terms of one shape");
  c.check(c.type(2) == Type{DType::f32, {c.shape(0)[-1]}}, "one f32 weight for each column");
  return {c.type(0), c.requested(c.type(0))};
}

std::vector<Value> fallback_add(Graph& g, const Node& n) {
  const Value sum = ops::add(g, n.inputs[0], n.inputs[1]);
  return {sum, ops::rms_norm(g, sum, n.inputs[2], n.attributes.real("eps"), n.outputs[1].dtype)};
}

std::vector<Type> infer_grad(const InferContext& c) {
  c.check_arity(3);
  c.check(c.shape(0) == c.shape(2), "x and dy of one shape");
  return {{c.type(0).dtype, c.shape(0)}, {DType::f32, c.shape(1)}};
}

}  // namespace

const Op op_rms_norm{
    .name = "rms_norm", .infer = infer, .gradient = gradient, .fallback = fallback};
const Op op_add_rms_norm{
    .name = "add_rms_norm", .infer = infer_add, .fallback = fallback_add, .inplace = 0};
const Op op_rms_norm_grad{.name = "rms_norm_grad", .infer = infer_grad};

Value ops::rms_norm(Graph& g, Value x, Value weight, double eps, DType out) {
  return g.add(op_rms_norm, {x, weight}, {{"eps", eps}, {"out", static_cast<int64_t>(out)}});
}

std::vector<Value> ops::add_rms_norm(Graph& g, Value a, Value b, Value weight, double eps,
                                     DType out) {
  return g.add_multi(op_add_rms_norm, {a, b, weight},
                     {{"eps", eps}, {"out", static_cast<int64_t>(out)}});
}

}  // namespace bantam
