#include "graph/op.h"
#include "graph/ops.h"

// Scaled dot-product attention with grouped key/value heads (Ainslie et al. 2023), computed in
// blocks with online softmax (Dao et al. 2022). Row n looks at sequence s = sequences[n] of the
// keys and values and, if causal, at its cells 0..positions[n] only:
//   out = softmax(scale q k^T) v,  lse = log sum exp(scale q k^T).
// The same op serves a cache [S, C, K, D] and, in training, S sequences of C fresh keys.

namespace bantam {

extern const Op op_attention, op_attention_grad, op_attention_mask, op_cache_write;

namespace {

bool is_plain(DType t) {
  return t == DType::f32 || t == DType::f16 || t == DType::bf16;
}

void check_rows(const InferContext& c, size_t first) {
  const Type index{DType::i32, {c.shape(0)[0]}};
  c.check(c.type(first) == index && c.type(first + 1) == index,
          "an i32 sequence and position for each row");
}

std::vector<Type> infer(const InferContext& c) {
  c.check_arity(5);
  const SymShape &q = c.shape(0), &k = c.shape(1);
  c.check(c.type(0).dtype == DType::f32 || c.type(0).dtype == DType::bf16, "f32 or bf16 queries");
  c.check(q.rank() == 3 && k.rank() == 4 && c.shape(2) == k && c.type(1).dtype == c.type(2).dtype,
          "q [N, H, D] and k, v [S, C, K, D]");
  c.check(is_plain(c.type(1).dtype), "plain keys and values");
  c.check(q[2] == k[3] && k[2].symbol < 0 && k[2].factor > 0 && q[1].factor % k[2].factor == 0,
          "one head size, and a multiple of the key/value heads");
  check_rows(c, 3);
  return {c.type(0), {DType::f32, {q[0], q[1]}}};
}

Value heads_first(Graph& g, Value x) {
  return ops::transpose(g, x, 0, 1);
}

// The cache as [K, S C, D].
Value cells(Graph& g, Value k) {
  const SymShape& s = g.shape(k);
  return heads_first(
      g, ops::reshape(g, ops::cast(g, k, DType::f32), {s[0] * s[1].factor, s[2], s[3]}));
}

std::vector<Value> fallback(Graph& g, const Node& n) {
  const Value q = ops::cast(g, n.inputs[0], DType::f32);
  const SymShape cache = g.shape(n.inputs[1]), rows = g.shape(q);
  const Value mask = g.add(op_attention_mask, {n.inputs[3], n.inputs[4]},
                           {{"sequences", cache[0].factor},
                            {"cells", cache[1].factor},
                            {"causal", n.attributes.integer("causal")}});
  Value scores = ops::batch_matmul(g, heads_first(g, q), cells(g, n.inputs[1]), false, true);
  scores = ops::add(g, ops::scale(g, scores, n.attributes.real("scale")), mask);
  const Value out =
      ops::batch_matmul(g, ops::softmax(g, scores), cells(g, n.inputs[2]), false, false);
  const Value lse = ops::log(g, ops::row_sum(g, ops::exp(g, scores)));  // [H, N, 1]
  return {ops::cast(g, heads_first(g, out), n.outputs[0].dtype),
          ops::reshape(g, heads_first(g, lse), {rows[0], rows[1]})};
}

// With P = exp(scale q k^T - lse) and delta = sum(dout out) of each row:
//   dv = P^T dout,  dS = P (dout v^T - delta) scale,  dq = dS k,  dk = dS^T q
std::vector<Value> gradient(const GradientContext& c) {
  const Value dout = ops::cast(c.graph, c.output_gradients[0], c.graph.dtype(c.input(0)));
  std::vector<Value> grads = c.graph.add_multi(op_attention_grad,
                                               {c.input(0), c.input(1), c.input(2), c.input(3),
                                                c.input(4), c.outputs[0], c.outputs[1], dout},
                                               c.attributes());
  grads.resize(5);
  return grads;
}

std::vector<Type> infer_grad(const InferContext& c) {
  c.check_arity(8);
  c.check(c.type(0).dtype == c.type(1).dtype && c.type(5) == c.type(0) && c.type(7) == c.type(0),
          "q, k, v, out and dout of one type");
  return {c.type(0), c.type(1), c.type(2)};
}

// 0 where row n may look, -inf elsewhere: [N, S C].
std::vector<Type> infer_mask(const InferContext& c) {
  c.check_arity(2);
  const int64_t columns = c.attributes.integer("sequences") * c.attributes.integer("cells");
  return {{DType::f32, {c.shape(0)[0], columns}}};
}

std::vector<Value> no_gradient(const GradientContext& c) {
  return std::vector<Value>(c.node.inputs.size());
}

std::vector<Type> infer_cache_write(const InferContext& c) {
  c.check_arity(4);
  const SymShape &cache = c.shape(0), &x = c.shape(1);
  c.check(cache.rank() == 4 && x.rank() == 3 && cache[2] == x[1] && cache[3] == x[2],
          "a cache [S, C, K, D] and rows [N, K, D]");
  c.check(is_plain(c.type(0).dtype), "a plain cache");
  const Type index{DType::i32, {x[0]}};
  c.check(c.type(2) == index && c.type(3) == index, "an i32 sequence and position for each row");
  return {c.type(0)};
}

}  // namespace

const Op op_attention{
    .name = "attention", .infer = infer, .gradient = gradient, .fallback = fallback};
const Op op_attention_grad{.name = "attention_grad", .infer = infer_grad};
const Op op_attention_mask{.name = "attention_mask", .infer = infer_mask, .gradient = no_gradient};
const Op op_cache_write{
    .name = "cache_write", .infer = infer_cache_write, .alias = 0, .effect = true};

Value ops::attention(Graph& g, Value q, Value k, Value v, Value sequences, Value positions,
                     double scale, bool causal) {
  return g.add(op_attention, {q, k, v, sequences, positions},
               {{"scale", scale}, {"causal", int64_t{causal}}});
}

Value ops::cache_write(Graph& g, Value cache, Value x, Value sequences, Value positions) {
  return g.add(op_cache_write, {cache, x, sequences, positions});
}

}  // namespace bantam
