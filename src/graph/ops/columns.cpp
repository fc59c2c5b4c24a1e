#include <fmt/format.h>

#include "graph/op.h"
#include "graph/ops.h"

// Ranges of columns: [..., C] is cut into and put together from parts of its innermost extent.

namespace bantam {

extern const Op op_slice_columns, op_pad_columns, op_concat_columns;

namespace {

bool is_float(DType t) {
  return t == DType::f32 || t == DType::bf16;
}

std::vector<Type> with_columns(const InferContext& c, int64_t columns) {
  Type t = c.type(0);
  t.shape[-1] = columns;
  return {t};
}

// y = x[..., first : first + count]
std::vector<Type> infer_slice(const InferContext& c) {
  c.check_arity(1);
  c.check(is_float(c.type(0).dtype), "f32 or bf16");
  const Extent columns = c.shape(0)[-1];
  const int64_t first = c.attributes.integer("first"), count = c.attributes.integer("count");
  c.check(columns.symbol < 0 && first >= 0 && count > 0 && first + count <= columns.factor,
          fmt::format("columns {} to {} to exist", first, first + count));
  return with_columns(c, count);
}

std::vector<Value> gradient_slice(const GradientContext& c) {
  const int64_t columns = c.graph.shape(c.input(0))[-1].factor;
  return {c.graph.add(op_pad_columns, {c.output_gradients[0]},
                      {{"first", c.attributes().integer("first")}, {"columns", columns}})};
}

// y[..., first : first + count] = x, zero elsewhere
std::vector<Type> infer_pad(const InferContext& c) {
  c.check_arity(1);
  c.check(is_float(c.type(0).dtype), "f32 or bf16");
  const int64_t columns = c.attributes.integer("columns"), first = c.attributes.integer("first");
  c.check(first >= 0 && first + c.shape(0)[-1].factor <= columns, "room for all columns");
  return with_columns(c, columns);
}

std::vector<Value> gradient_pad(const GradientContext& c) {
  return {ops::slice_columns(c.graph, c.output_gradients[0], c.attributes().integer("first"),
                             c.graph.shape(c.input(0))[-1].factor)};
}

std::vector<Type> infer_concat(const InferContext& c) {
  c.check_arity(2, 1024);
  int64_t columns = 0;
  for (size_t i = 0; i < c.inputs.size(); ++i) {
    Type t = c.type(i);
    columns += t.shape[-1].factor;
    t.shape[-1] = c.shape(0)[-1];
    c.check(is_float(t.dtype) && t == c.type(0), "f32 or bf16 parts that differ in columns only");
  }
  return with_columns(c, columns);
}

std::vector<Value> gradient_concat(const GradientContext& c) {
  std::vector<Value> parts;
  int64_t first = 0;
  for (size_t i = 0; i < c.node.inputs.size(); ++i) {
    const int64_t count = c.graph.shape(c.input(i))[-1].factor;
    parts.push_back(ops::slice_columns(c.graph, c.output_gradients[0], first, count));
    first += count;
  }
  return parts;
}

}  // namespace

const Op op_slice_columns{
    .name = "slice_columns", .infer = infer_slice, .gradient = gradient_slice, .onnx = "Slice"};
const Op op_pad_columns{
    .name = "pad_columns", .infer = infer_pad, .gradient = gradient_pad, .onnx = "Pad"};
const Op op_concat_columns{
    .name = "concat_columns", .infer = infer_concat, .gradient = gradient_concat, .onnx = "Concat"};

Value ops::slice_columns(Graph& g, Value x, int64_t first, int64_t count) {
  if (first == 0 && g.shape(x)[-1] == Extent(count)) return x;
  return g.add(op_slice_columns, {x}, {{"first", first}, {"count", count}});
}

Value ops::concat_columns(Graph& g, std::span<const Value> parts) {
  if (parts.size() == 1) return parts[0];
  return g.add(op_concat_columns, {parts.begin(), parts.end()});
}

}  // namespace bantam
