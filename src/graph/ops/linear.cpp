#include "graph/op.h"
#include "graph/ops.h"

// Projections y = x W^T with W [N, K] as checkpoints store it, and the quantisation of activations
// that integer products start from.

namespace bantam {
namespace {

DType linear_out(const InferContext& c, size_t weight) {
  const DType x = c.type(0).dtype, w = c.type(weight).dtype;
  c.check(c.shape(weight).rank() == 2, "a weight matrix");
  c.check(c.shape(weight)[1] == c.shape(0)[-1], "the same inner extent");
  const auto out =
      static_cast<DType>(c.attributes.integer("out", static_cast<int64_t>(DType::f32)));
  const bool both_bf16 = x == DType::bf16 && w == DType::bf16;
  c.check(x == DType::f32 || both_bf16 || (x == DType::q8a && dtype_info(w).quantized),
          "f32 activations, bf16 with bf16 weights, or q8a with quantised weights");
  c.check(out == DType::f32 || (out == DType::bf16 && both_bf16), "an f32 result");
  return out;
}

SymShape with_last(SymShape shape, Extent last) {
  shape[-1] = last;
  return shape;
}

std::vector<Type> infer_linear(const InferContext& c) {
  c.check_arity(2);
  const DType out = linear_out(c, 1);
  return {{out, with_last(c.shape(0), c.shape(1)[0])}};
}

std::vector<Value> gradient_linear(const GradientContext& c) {
  Graph& g = c.graph;
  const Value x = c.input(0), w = c.input(1);
  const DType t = g.dtype(x);
  const Value dy = ops::cast(g, c.output_gradients[0], t);
  Value dx, dw;
  // M N * N K -> M K
  if (c.wanted[0]) dx = ops::matmul(g, dy, ops::cast(g, w, t), false, false, t);
  // (M N)^T * M K -> N K, kept in f32: it is summed over many rows and steps
  if (c.wanted[1]) dw = ops::matmul(g, dy, x, true, false, DType::f32);
  return {dx, dw};
}

std::vector<Type> infer_linear_group(const InferContext& c) {
  c.check_arity(2, 16);
  std::vector<Type> types;
  for (size_t i = 1; i < c.inputs.size(); ++i) {
    const DType out = linear_out(c, i);
    types.push_back({out, with_last(c.shape(0), c.shape(i)[0])});
  }
  return types;
}

std::vector<Value> fallback_linear_group(Graph& g, const Node& n) {
  std::vector<Value> outputs;
  for (size_t i = 1; i < n.inputs.size(); ++i) {
    outputs.push_back(ops::linear(g, n.inputs[0], n.inputs[i], n.outputs[i - 1].dtype));
  }
  return outputs;
}

std::vector<Type> infer_quantize(const InferContext& c) {
  c.check_arity(1);
  c.check(c.type(0).dtype == DType::f32, "f32");
  return {c.requested(c.type(0))};
}

}  // namespace

extern const Op op_linear, op_linear_group, op_quantize;
const Op op_linear{.name = "linear",
                   .infer = infer_linear,
                   .gradient = gradient_linear,
                   .reads_interleaved = true,
                   .onnx = "MatMul"};
const Op op_linear_group{.name = "linear_group",
                         .infer = infer_linear_group,
                         .fallback = fallback_linear_group,
                         .reads_interleaved = true};
const Op op_quantize{.name = "quantize", .infer = infer_quantize};

Value ops::linear(Graph& g, Value x, Value w, DType out) {
  return g.add(op_linear, {x, w}, {{"out", static_cast<int64_t>(out)}});
}

std::vector<Value> ops::linear_group(Graph& g, Value x, std::span<const Value> weights) {
  std::vector<Value> inputs{x};
  inputs.insert(inputs.end(), weights.begin(), weights.end());
  return g.add_multi(op_linear_group, std::move(inputs));
}

Value ops::quantize(Graph& g, Value x) {
  return g.add(op_quantize, {x}, {{"out", static_cast<int64_t>(DType::q8a)}});
}

}  // namespace bantam
