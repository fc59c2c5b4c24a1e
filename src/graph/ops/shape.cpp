#include "base/error.h"
#include "graph/op.h"
#include "graph/ops.h"

// Ops that move elements or change their type but compute nothing.

namespace bantam {
namespace {

// The target shape travels in the attributes: factor and symbol of each extent.
constexpr std::string_view kFactor[] = {"f0", "f1", "f2", "f3", "f4"};
constexpr std::string_view kSymbol[] = {"s0", "s1", "s2", "s3", "s4"};

std::vector<Type> infer_reshape(const InferContext& c) {
  c.check_arity(1);
  SymShape shape;
  for (int i = 0; i < c.attributes.integer("rank"); ++i) {
    shape.push_back(Extent(c.attributes.integer(kFactor[i]),
                           static_cast<int>(c.attributes.integer(kSymbol[i]))));
  }
  c.check(shape.elements() == c.shape(0).elements(),
          fmt::format("as many elements as {}", shape.str()));
  return {{c.type(0).dtype, shape}};
}

std::vector<Value> gradient_reshape(const GradientContext& c) {
  return {ops::reshape(c.graph, c.output_gradients[0], c.graph.shape(c.input(0)))};
}

std::vector<Type> infer_transpose(const InferContext& c) {
  c.check_arity(1);
  Type t = c.type(0);
  const int64_t a = c.attributes.integer("a"), b = c.attributes.integer("b");
  const int64_t rank = t.shape.rank();
  c.check(a >= 0 && a < rank && b >= 0 && b < rank, fmt::format("axes {} and {} to exist", a, b));
  c.check(!dtype_info(t.dtype).quantized, "a plain type");
  std::swap(t.shape[static_cast<int>(a)], t.shape[static_cast<int>(b)]);
  return {t};
}

std::vector<Value> gradient_transpose(const GradientContext& c) {
  return {ops::transpose(c.graph, c.output_gradients[0],
                         static_cast<int>(c.attributes().integer("a")),
                         static_cast<int>(c.attributes().integer("b")))};
}

std::vector<Type> infer_cast(const InferContext& c) {
  c.check_arity(1);
  const auto to = static_cast<DType>(c.attributes.integer("out"));
  c.check(!dtype_info(to).quantized, "a plain type to cast to");
  c.check(!dtype_info(c.type(0).dtype).quantized || to == DType::f32,
          "a plain type, or blocks that become f32");
  return {{to, c.shape(0)}};
}

std::vector<Value> gradient_cast(const GradientContext& c) {
  // A gradient may already be wider than its value; it never needs to be rounded on the way.
  return {ops::cast(c.graph, c.output_gradients[0], c.graph.dtype(c.input(0)))};
}

}  // namespace

extern const Op op_reshape, op_transpose, op_cast;
const Op op_reshape{.name = "reshape",
                    .infer = infer_reshape,
                    .gradient = gradient_reshape,
                    .alias = 0,
                    .onnx = "Reshape"};
const Op op_transpose{.name = "transpose",
                      .infer = infer_transpose,
                      .gradient = gradient_transpose,
                      .onnx = "Transpose"};
const Op op_cast{.name = "cast",
                 .infer = infer_cast,
                 .gradient = gradient_cast,
                 .reads_interleaved = true,
                 .onnx = "Cast"};

Value ops::reshape(Graph& g, Value x, const SymShape& shape) {
  if (g.shape(x) == shape) return x;
  Attributes a;
  a.set("rank", int64_t{shape.rank()});
  for (int i = 0; i < shape.rank(); ++i) {
    a.set(kFactor[i], shape[i].factor);
    a.set(kSymbol[i], int64_t{shape[i].symbol});
  }
  return g.add(op_reshape, {x}, std::move(a));
}

Value ops::transpose(Graph& g, Value x, int axis_a, int axis_b) {
  return g.add(op_transpose, {x}, {{"a", int64_t{axis_a}}, {"b", int64_t{axis_b}}});
}

Value ops::cast(Graph& g, Value x, DType dtype) {
  if (g.dtype(x) == dtype) return x;
  if (dtype == DType::q8a) return ops::quantize(g, x);
  return g.add(op_cast, {x}, {{"out", static_cast<int64_t>(dtype)}});
}

}  // namespace bantam
