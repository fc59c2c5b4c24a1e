#include "graph/op.h"
#include "graph/ops.h"

// Sums over rows, columns or everything, and the broadcasts that are their gradients.

namespace bantam {
namespace {

SymShape row_shape(const SymShape& x) {
  SymShape r = x;
  r[-1] = 1;
  return r;
}

void check_float(const InferContext& c) {
  c.check(c.type(0).dtype == DType::f32 || c.type(0).dtype == DType::bf16, "f32 or bf16");
}

std::vector<Type> infer_row_sum(const InferContext& c) {
  c.check_arity(1);
  c.check(c.type(0).dtype == DType::f32, "f32");
  return {{DType::f32, row_shape(c.shape(0))}};
}

std::vector<Value> gradient_row_sum(const GradientContext& c) {
  return {ops::broadcast_rows(c.graph, c.output_gradients[0], c.graph.shape(c.input(0))[-1])};
}

std::vector<Type> infer_column_sum(const InferContext& c) {
  c.check_arity(1);
  check_float(c);
  const auto kept = static_cast<int>(c.attributes.integer("trailing"));
  c.check(kept >= 1 && kept < c.shape(0).rank(), "more extents than are kept");
  SymShape shape;
  for (int i = kept; i >= 1; --i) shape.push_back(c.shape(0)[-i]);
  return {{DType::f32, shape}};
}

// dx = dy repeated over the rows, written as 0 x + dy so that plain broadcasting does it
std::vector<Value> gradient_column_sum(const GradientContext& c) {
  Graph& g = c.graph;
  return {ops::add(g, ops::scale(g, c.input(0), 0), c.output_gradients[0])};
}

std::vector<Type> infer_sum(const InferContext& c) {
  c.check_arity(1);
  check_float(c);
  return {{DType::f32, {1}}};
}

std::vector<Value> gradient_sum(const GradientContext& c) {
  Graph& g = c.graph;
  return {ops::add(g, ops::scale(g, c.input(0), 0), c.output_gradients[0])};
}

// y = sum x^2, dx = 2 x dy
std::vector<Value> gradient_sum_squares(const GradientContext& c) {
  Graph& g = c.graph;
  return {ops::mul(g, ops::scale(g, c.input(0), 2), c.output_gradients[0])};
}

std::vector<Type> infer_rows_binary(const InferContext& c) {
  c.check_arity(2);
  c.check(c.type(0).dtype == DType::f32 && c.type(1).dtype == DType::f32, "f32");
  c.check(c.shape(1) == row_shape(c.shape(0)), "one value for each row");
  return {c.type(0)};
}

std::vector<Value> gradient_mul_rows(const GradientContext& c) {
  Graph& g = c.graph;
  const Value x = c.input(0), r = c.input(1), dy = c.output_gradients[0];
  return {c.wanted[0] ? ops::mul_rows(g, dy, r) : Value{},
          c.wanted[1] ? ops::row_sum(g, ops::mul(g, dy, x)) : Value{}};
}

std::vector<Value> gradient_add_rows(const GradientContext& c) {
  const Value dy = c.output_gradients[0];
  return {dy, c.wanted[1] ? ops::row_sum(c.graph, dy) : Value{}};
}

std::vector<Type> infer_broadcast_rows(const InferContext& c) {
  c.check_arity(1);
  c.check(c.type(0).dtype == DType::f32 && c.shape(0)[-1] == Extent(1), "f32 [..., 1]");
  SymShape shape = c.shape(0);
  shape[-1] =
      Extent(c.attributes.integer("columns"), static_cast<int>(c.attributes.integer("symbol", -1)));
  return {{DType::f32, shape}};
}

std::vector<Value> gradient_broadcast_rows(const GradientContext& c) {
  return {ops::row_sum(c.graph, c.output_gradients[0])};
}

}  // namespace

extern const Op op_row_sum, op_column_sum, op_sum, op_sum_squares, op_mul_rows, op_add_rows,
    op_broadcast_rows;
const Op op_row_sum{
    .name = "row_sum", .infer = infer_row_sum, .gradient = gradient_row_sum, .onnx = "ReduceSum"};
const Op op_column_sum{.name = "column_sum",
                       .infer = infer_column_sum,
                       .gradient = gradient_column_sum,
                       .onnx = "ReduceSum"};
const Op op_sum{.name = "sum", .infer = infer_sum, .gradient = gradient_sum, .onnx = "ReduceSum"};
const Op op_sum_squares{.name = "sum_squares",
                        .infer = infer_sum,
                        .gradient = gradient_sum_squares,
                        .onnx = "ReduceSumSquare"};
const Op op_mul_rows{.name = "mul_rows",
                     .infer = infer_rows_binary,
                     .gradient = gradient_mul_rows,
                     .inplace = 0,
                     .onnx = "Mul"};
const Op op_add_rows{.name = "add_rows",
                     .infer = infer_rows_binary,
                     .gradient = gradient_add_rows,
                     .inplace = 0,
                     .onnx = "Add"};
const Op op_broadcast_rows{.name = "broadcast_rows",
                           .infer = infer_broadcast_rows,
                           .gradient = gradient_broadcast_rows,
                           .onnx = "Expand"};

Value ops::row_sum(Graph& g, Value x) {
  return g.add(op_row_sum, {x});
}
Value ops::column_sum(Graph& g, Value x, int trailing) {
  return g.add(op_column_sum, {x}, {{"trailing", int64_t{trailing}}});
}
Value ops::sum(Graph& g, Value x) {
  return g.add(op_sum, {x});
}
Value ops::sum_squares(Graph& g, Value x) {
  return g.add(op_sum_squares, {x});
}
Value ops::mul_rows(Graph& g, Value x, Value r) {
  return g.add(op_mul_rows, {x, r});
}
Value ops::add_rows(Graph& g, Value x, Value r) {
  return g.add(op_add_rows, {x, r});
}
Value ops::broadcast_rows(Graph& g, Value r, Extent columns) {
  return g.add(op_broadcast_rows, {r},
               {{"columns", columns.factor}, {"symbol", int64_t{columns.symbol}}});
}

}  // namespace bantam
