#include "graph/op.h"
#include "graph/ops.h"

// Elementwise ops of two values. The second has the first's shape, its trailing extents (a bias),
// or one element; its gradient is summed over what was broadcast.

namespace bantam {
namespace {

bool is_float(DType t) {
  return t == DType::f32 || t == DType::bf16;
}

bool broadcasts(const SymShape& a, const SymShape& b) {
  if (a == b || b.elements() == Extent(1)) return true;
  if (b.rank() > a.rank()) return false;
  for (int i = 1; i <= b.rank(); ++i) {
    if (!(a[-i] == b[-i])) return false;
  }
  return true;
}

std::vector<Type> infer_binary(const InferContext& c) {
  c.check_arity(2);
  c.check(is_float(c.type(0).dtype) && is_float(c.type(1).dtype), "f32 or bf16");
  c.check(broadcasts(c.shape(0), c.shape(1)),
          "the second shape to be the first, its trailing extents or one element");
  return {c.type(0)};
}

// Sums dy over what was broadcast from `target`.
Value reduce_like(Graph& g, Value dy, Value target) {
  const SymShape& shape = g.shape(target);
  if (g.shape(dy) == shape) return ops::cast(g, dy, g.dtype(target));
  const Value reduced = shape.elements() == Extent(1) ? ops::reshape(g, ops::sum(g, dy), shape)
                                                      : ops::column_sum(g, dy, shape.rank());
  return ops::cast(g, reduced, g.dtype(target));
}

std::vector<Value> gradient_add(const GradientContext& c) {
  const Value dy = c.output_gradients[0];
  return {dy, c.wanted[1] ? reduce_like(c.graph, dy, c.input(1)) : Value{}};
}

std::vector<Value> gradient_sub(const GradientContext& c) {
  Graph& g = c.graph;
  const Value dy = c.output_gradients[0];
  return {dy, c.wanted[1] ? reduce_like(g, ops::scale(g, dy, -1), c.input(1)) : Value{}};
}

std::vector<Value> gradient_mul(const GradientContext& c) {
  Graph& g = c.graph;
  const Value a = c.input(0), b = c.input(1), dy = c.output_gradients[0];
  return {c.wanted[0] ? ops::mul(g, dy, b) : Value{},
          c.wanted[1] ? reduce_like(g, ops::mul(g, dy, a), b) : Value{}};
}

}  // namespace

extern const Op op_add, op_sub, op_mul;
const Op op_add{
    .name = "add", .infer = infer_binary, .gradient = gradient_add, .inplace = 0, .onnx = "Add"};
const Op op_sub{
    .name = "sub", .infer = infer_binary, .gradient = gradient_sub, .inplace = 0, .onnx = "Sub"};
const Op op_mul{
    .name = "mul", .infer = infer_binary, .gradient = gradient_mul, .inplace = 0, .onnx = "Mul"};

Value ops::add(Graph& g, Value a, Value b) {
  return g.add(op_add, {a, b});
}
Value ops::sub(Graph& g, Value a, Value b) {
  return g.add(op_sub, {a, b});
}
Value ops::mul(Graph& g, Value a, Value b) {
  return g.add(op_mul, {a, b});
}

}  // namespace bantam
