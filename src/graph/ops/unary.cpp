#include "graph/op.h"
#include "graph/ops.h"

// Elementwise ops of one value, with y' written in the same ops.

namespace bantam {
namespace {

std::vector<Type> infer_unary(const InferContext& c) {
  c.check_arity(1);
  c.check(c.type(0).dtype == DType::f32 || c.type(0).dtype == DType::bf16, "f32 or bf16");
  return {c.type(0)};
}

std::vector<Type> infer_unary_f32(const InferContext& c) {
  c.check_arity(1);
  c.check(c.type(0).dtype == DType::f32, "f32");
  return {c.type(0)};
}

// y = factor x
std::vector<Value> gradient_scale(const GradientContext& c) {
  return {ops::scale(c.graph, c.output_gradients[0], c.attributes().real("factor"))};
}

// y = x + amount
std::vector<Value> gradient_shift(const GradientContext& c) {
  return {c.output_gradients[0]};
}

// y = e^x, y' = y
std::vector<Value> gradient_exp(const GradientContext& c) {
  return {ops::mul(c.graph, c.output_gradients[0], c.outputs[0])};
}

// y = ln x, y' = 1 / x
std::vector<Value> gradient_log(const GradientContext& c) {
  Graph& g = c.graph;
  return {ops::mul(g, c.output_gradients[0], ops::reciprocal(g, c.input(0)))};
}

// y = x^(-1/2), y' = -y^3 / 2
std::vector<Value> gradient_rsqrt(const GradientContext& c) {
  Graph& g = c.graph;
  const Value y = c.outputs[0];
  const Value cube = ops::mul(g, ops::mul(g, y, y), y);
  return {ops::mul(g, c.output_gradients[0], ops::scale(g, cube, -0.5))};
}

// y = 1 / x, y' = -y^2
std::vector<Value> gradient_reciprocal(const GradientContext& c) {
  Graph& g = c.graph;
  const Value y = c.outputs[0];
  return {ops::mul(g, c.output_gradients[0], ops::scale(g, ops::mul(g, y, y), -1))};
}

// y = x s(x), y' = s + y (1 - s) = s + y - y s, where s is the sigmoid
std::vector<Value> gradient_silu(const GradientContext& c) {
  Graph& g = c.graph;
  const Value s = ops::sigmoid(g, c.input(0)), y = c.outputs[0];
  const Value slope = ops::sub(g, ops::add(g, s, y), ops::mul(g, y, s));
  return {ops::mul(g, c.output_gradients[0], slope)};
}

// y = s(x), y' = y - y^2
std::vector<Value> gradient_sigmoid(const GradientContext& c) {
  Graph& g = c.graph;
  const Value y = c.outputs[0];
  return {ops::mul(g, c.output_gradients[0], ops::sub(g, y, ops::mul(g, y, y)))};
}

std::vector<Type> infer_dropout(const InferContext& c) {
  c.check_arity(2);
  c.check(c.type(0).dtype == DType::f32 || c.type(0).dtype == DType::bf16, "f32 or bf16");
  c.check(c.type(1).dtype == DType::i32 && c.shape(1).elements() == Extent(1), "an i32 seed [1]");
  const double p = c.attributes.real("p");
  c.check(p >= 0 && p < 1, "0 <= p < 1");
  return {c.type(0)};
}

// The mask is a function of seed, salt and position: the same op masks the gradient.
std::vector<Value> gradient_dropout(const GradientContext& c) {
  return {ops::dropout(c.graph, c.output_gradients[0], c.input(1), c.attributes().real("p"),
                       c.attributes().integer("salt")),
          {}};
}

}  // namespace

extern const Op op_scale, op_shift, op_exp, op_log, op_rsqrt, op_reciprocal, op_silu, op_sigmoid,
    op_dropout;
const Op op_scale{.name = "scale", .infer = infer_unary, .gradient = gradient_scale, .inplace = 0};
const Op op_shift{.name = "shift", .infer = infer_unary, .gradient = gradient_shift, .inplace = 0};
const Op op_exp{
    .name = "exp", .infer = infer_unary_f32, .gradient = gradient_exp, .inplace = 0, .onnx = "Exp"};
const Op op_log{
    .name = "log", .infer = infer_unary_f32, .gradient = gradient_log, .inplace = 0, .onnx = "Log"};
const Op op_rsqrt{
    .name = "rsqrt", .infer = infer_unary_f32, .gradient = gradient_rsqrt, .inplace = 0};
const Op op_reciprocal{.name = "reciprocal",
                       .infer = infer_unary_f32,
                       .gradient = gradient_reciprocal,
                       .inplace = 0,
                       .onnx = "Reciprocal"};
const Op op_silu{.name = "silu", .infer = infer_unary, .gradient = gradient_silu, .inplace = 0};
const Op op_sigmoid{.name = "sigmoid",
                    .infer = infer_unary,
                    .gradient = gradient_sigmoid,
                    .inplace = 0,
                    .onnx = "Sigmoid"};
const Op op_dropout{
    .name = "dropout", .infer = infer_dropout, .gradient = gradient_dropout, .inplace = 0};

Value ops::scale(Graph& g, Value x, double factor) {
  return g.add(op_scale, {x}, {{"factor", factor}});
}
Value ops::shift(Graph& g, Value x, double amount) {
  return g.add(op_shift, {x}, {{"amount", amount}});
}
Value ops::exp(Graph& g, Value x) {
  return g.add(op_exp, {x});
}
Value ops::log(Graph& g, Value x) {
  return g.add(op_log, {x});
}
Value ops::rsqrt(Graph& g, Value x) {
  return g.add(op_rsqrt, {x});
}
Value ops::reciprocal(Graph& g, Value x) {
  return g.add(op_reciprocal, {x});
}
Value ops::silu(Graph& g, Value x) {
  return g.add(op_silu, {x});
}
Value ops::sigmoid(Graph& g, Value x) {
  return g.add(op_sigmoid, {x});
}
Value ops::dropout(Graph& g, Value x, Value seed, double p, int64_t salt) {
  if (p == 0) return x;
  return g.add(op_dropout, {x, seed}, {{"p", p}, {"salt", salt}});
}

}  // namespace bantam
