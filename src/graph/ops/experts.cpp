#include "graph/op.h"
#include "graph/ops.h"

// Projections with one weight matrix for each expert (Shazeer et al. 2017). Rows come grouped by
// expert, and only the matrices of experts that got a row are read:
//   y[r] = x[r] W[e]^T for the rows offsets[e] <= r < offsets[e + 1].
// Without offsets x is [E, M, K]: each matrix has M rows of its own (the heads of latent
// attention).

namespace bantam {

extern const Op op_expert_linear, op_expert_linear_dx, op_expert_linear_dw, op_combine_experts;

namespace {

void check_rows(const InferContext& c, size_t x, Extent experts) {
  if (c.inputs.size() == 3) {
    c.check(c.shape(x).rank() == 2, "rows [M, K]");
    c.check(c.type(2) == Type{DType::i32, {experts.factor + 1}}, "i32 offsets [E + 1]");
  } else {
    c.check(c.shape(x).rank() == 3 && c.shape(x)[0] == experts, "rows [E, M, K]");
  }
}

SymShape with_last(SymShape shape, Extent last) {
  shape[-1] = last;
  return shape;
}

std::vector<Type> infer(const InferContext& c) {
  c.check_arity(2, 3);
  const DType x = c.type(0).dtype, w = c.type(1).dtype;
  c.check(c.shape(1).rank() == 3 && c.shape(1)[2] == c.shape(0)[-1],
          "weights [E, N, K] with the inner extent of the rows");
  check_rows(c, 0, c.shape(1)[0]);
  const auto out = static_cast<DType>(c.attributes.integer("out"));
  const bool both_bf16 = x == DType::bf16 && w == DType::bf16;
  c.check(x == DType::f32 || both_bf16 || (x == DType::q8a && dtype_info(w).quantized),
          "f32 activations, bf16 with bf16 weights, or q8a with quantised weights");
  c.check(out == DType::f32 || (out == DType::bf16 && both_bf16), "an f32 result");
  return {{out, with_last(c.shape(0), c.shape(1)[1])}};
}

std::vector<Value> with_offsets(Value a, Value b, const Node& n) {
  std::vector<Value> inputs{a, b};
  if (n.inputs.size() == 3) inputs.push_back(n.inputs[2]);
  return inputs;
}

std::vector<Value> gradient(const GradientContext& c) {
  Graph& g = c.graph;
  const Value x = c.input(0), w = c.input(1);
  const DType t = g.dtype(x);
  const Value dy = ops::cast(g, c.output_gradients[0], t);
  std::vector<Value> d(c.node.inputs.size());
  if (c.wanted[0]) {
    d[0] = g.add(op_expert_linear_dx, with_offsets(dy, ops::cast(g, w, t), c.node));
  }
  if (c.wanted[1]) {
    d[1] = g.add(op_expert_linear_dw, with_offsets(dy, x, c.node),
                 {{"experts", g.shape(w)[0].factor}});
  }
  return d;
}

// dx[r] = dy[r] W[e]:  M N * N K -> M K
std::vector<Type> infer_dx(const InferContext& c) {
  c.check_arity(2, 3);
  c.check(c.type(0).dtype == c.type(1).dtype && c.shape(0)[-1] == c.shape(1)[1],
          "dy [.., N] and weights [E, N, K] of one type");
  check_rows(c, 0, c.shape(1)[0]);
  return {{c.type(0).dtype, with_last(c.shape(0), c.shape(1)[2])}};
}

// dW[e] = dy^T x over the rows of e:  (M N)^T * M K -> N K, in f32
std::vector<Type> infer_dw(const InferContext& c) {
  c.check_arity(2, 3);
  c.check(c.type(0).dtype == c.type(1).dtype && c.shape(0).rows() == c.shape(1).rows(),
          "dy and x with as many rows, of one type");
  const int64_t experts = c.attributes.integer("experts");
  check_rows(c, 0, experts);
  return {{DType::f32, {experts, c.shape(0)[-1], c.shape(1)[-1]}}};
}

// y[n] = sum over j of weights[n, j] x[slots[n, j]]
std::vector<Type> infer_combine(const InferContext& c) {
  c.check_arity(3);
  const SymShape &x = c.shape(0), &slots = c.shape(1);
  c.check(c.type(0).dtype == DType::f32 && x.rank() == 2, "f32 rows [N k, C]");
  c.check(slots.rank() == 2 && c.type(1).dtype == DType::i32 && slots.elements() == x[0],
          "i32 slots [N, k] for all rows");
  c.check(c.type(2) == Type{DType::f32, slots}, "an f32 weight for each slot");
  return {{DType::f32, {slots[0], x[1]}}};
}

std::vector<Value> fallback_combine(Graph& g, const Node& n) {
  const SymShape slots = g.shape(n.inputs[1]);
  const Extent columns = g.shape(n.inputs[0])[1];
  const Value flat = ops::reshape(g, n.inputs[1], {slots.elements()});
  const Value weights = ops::reshape(g, n.inputs[2], {slots.elements(), 1});
  const Value rows = ops::mul_rows(g, ops::embedding(g, n.inputs[0], flat), weights);
  const Value by_rank =
      ops::transpose(g, ops::reshape(g, rows, {slots[0], slots[1], columns}), 0, 1);
  return {ops::column_sum(g, by_rank, 2)};
}

}  // namespace

const Op op_expert_linear{
    .name = "expert_linear", .infer = infer, .gradient = gradient, .reads_interleaved = true};
const Op op_expert_linear_dx{.name = "expert_linear_dx", .infer = infer_dx};
const Op op_expert_linear_dw{.name = "expert_linear_dw", .infer = infer_dw};
const Op op_combine_experts{
    .name = "combine_experts", .infer = infer_combine, .fallback = fallback_combine};

Value ops::expert_linear(Graph& g, Value x, Value w, Value offsets, DType out) {
  std::vector<Value> inputs{x, w};
  if (offsets.defined()) inputs.push_back(offsets);
  return g.add(op_expert_linear, std::move(inputs), {{"out", static_cast<int64_t>(out)}});
}

Value ops::combine_experts(Graph& g, Value x, Value slots, Value weights) {
  return g.add(op_combine_experts, {x, slots, weights});
}

}  // namespace bantam
