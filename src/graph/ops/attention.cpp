#include "base/error.h"
#include "graph/op.h"
#include "graph/ops.h"
#include "tensor/layout.h"

// Scaled dot-product attention with grouped key/value heads (Ainslie et al. 2023), computed in
// blocks with online softmax (Dao et al. 2022). Row n looks at sequence s = sequences[n] of the
// keys and values and, if causal, at its cells 0..positions[n] only (the last `window` of them):
//   scores = cap(scale q k^T) + bias,  out = softmax(scores) v,  lse = log sum exp(scores),
// where cap(x) = softcap tanh(x / softcap), and sinks[h] counts like one more score in both sums.
// Beside a window the first `keep` cells stay visible (Xiao et al. 2023).
//
// The keys and values of S sequences of C cells each are [S, C, K, D], as in training. A cache is
// paged instead (Kwon et al. 2023): [P, K, 64, D], where the table `pages` i32 [S, B] tells in
// which page each 64 cells of a sequence lie; -1: nowhere, and nobody sees them. Cells of
// one head follow each other in a page. The keys of a cache may be interleaved: 16 cells [K, D]
// together, as [K, D, 16], or, in a page, 16 of a head as [D, 16]. Such steps have no fallback.
//
// Inputs: q, k, v, sequences, positions, then pages, sinks and bias if the attributes say so.

namespace bantam {

extern const Op op_attention, op_attention_grad, op_attention_mask, op_cache_write;

namespace {

bool is_plain(DType t) {
  return t == DType::f32 || t == DType::f16 || t == DType::bf16;
}

// Which extents of a cache count cells and heads: those of [S, C, K, D], or of pages [P, K, 64, D].
struct Axes {
  int cells, heads;
};
Axes axes(bool paged) {
  return paged ? Axes{2, 1} : Axes{1, 2};
}

bool whole_groups(const Type& cache, bool paged) {
  return cache.layout == Layout::rows ||
         cache.shape[axes(paged).cells].factor % kInterleavedRows == 0;
}

bool is_block(DType t) {
  return t == DType::q8_0 || t == DType::q4_0;
}

void check_rows(const InferContext& c, size_t first) {
  const Type index{DType::i32, {c.shape(0)[0]}};
  c.check(c.type(first) == index && c.type(first + 1) == index,
          "an i32 sequence and position for each row");
}

bool has(const Attributes& a, std::string_view extra) {
  return a.integer(extra, 0) != 0;
}
size_t extras(const Attributes& a) {
  return size_t{has(a, "sinks")} + size_t{has(a, "bias")};
}

// The table at `input` of a cache at `cache`.
void check_pages(const InferContext& c, size_t cache, size_t input) {
  c.check(c.type(input).dtype == DType::i32 && c.shape(input).rank() == 2,
          "an i32 table of pages [S, B]");
  c.check(c.shape(cache)[axes(true).cells] == Extent(kPageCells), "pages of 64 cells");
}

// Checks the optional inputs from `first` on and returns their types.
std::vector<Type> extra_types(const InferContext& c, size_t first) {
  std::vector<Type> types;
  const SymShape& q = c.shape(0);
  Extent cells = c.shape(1)[1];
  if (has(c.attributes, "pages")) {
    check_pages(c, 1, first);
    cells = c.shape(first++)[1] * kPageCells;
  }
  if (has(c.attributes, "sinks")) {
    types.push_back({DType::f32, {q[1]}});
    c.check(c.type(first++) == types.back(), "one f32 sink for each head");
  }
  if (has(c.attributes, "bias")) {
    types.push_back({DType::f32, {q[1], q[0], cells}});
    c.check(c.type(first) == types.back(), "f32 biases [H, N, C]");
  }
  return types;
}

std::vector<Type> infer(const InferContext& c) {
  c.check_arity(5 + size_t{has(c.attributes, "pages")} + extras(c.attributes));
  const SymShape &q = c.shape(0), &k = c.shape(1), &v = c.shape(2);
  c.check(c.type(0).dtype == DType::f32 || c.type(0).dtype == DType::bf16, "f32 or bf16 queries");
  const bool paged = has(c.attributes, "pages");
  c.check(q.rank() == 3 && k.rank() == 4 && v.rank() == 4 && k[0] == v[0] && k[1] == v[1] &&
              k[2] == v[2] && c.type(1).dtype == c.type(2).dtype,
          "q [N, H, D], k [S, C, K, D] and v [S, C, K, E], or pages of them");
  const Extent heads = k[axes(paged).heads];
  c.check(is_plain(c.type(1).dtype) ||
              (is_block(c.type(1).dtype) && c.type(1).layout == Layout::interleaved),
          "plain keys and values, or q8_0 or q4_0 with interleaved keys");
  c.check(q[2] == k[3] && heads.symbol < 0 && heads.factor > 0 && q[1].factor % heads.factor == 0,
          "one head size, and a multiple of the key/value heads");
  c.check(whole_groups(c.type(1), paged) && c.type(2).layout == Layout::rows,
          "interleaved keys in whole groups, values in rows");
  const int64_t window = c.attributes.integer("window", 0);
  c.check(window == 0 || (window > 0 && c.attributes.integer("causal") != 0),
          "a window over earlier cells only");
  const int64_t keep = c.attributes.integer("keep", 0);
  c.check(keep == 0 || (keep > 0 && keep % kPageCells == 0 && window > 0),
          "whole pages to keep, beside a window");
  check_rows(c, 3);
  extra_types(c, 5);
  return {{c.type(0).dtype, {q[0], q[1], v[3]}}, {DType::f32, {q[0], q[1]}}};
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

// log sum exp of [H, N, S C] with the sinks [H], as [H, N, 1].
Value log_sum(Graph& g, Value scores, Value sinks) {
  Value sum = ops::row_sum(g, ops::exp(g, scores));
  if (sinks.defined()) {
    const SymShape shape = g.shape(sum);
    const Value by_row = heads_first(g, ops::reshape(g, sum, {shape[0], shape[1]}));  // [N, H]
    const Value all = ops::add(g, by_row, ops::exp(g, sinks));
    sum = ops::reshape(g, heads_first(g, all), shape);
  }
  return ops::log(g, sum);
}

std::vector<Value> fallback(Graph& g, const Node& n) {
  const Attributes& a = n.attributes;
  BANTAM_ASSERT(!has(a, "pages"));
  const Value q = ops::cast(g, n.inputs[0], DType::f32);
  const SymShape cache = g.shape(n.inputs[1]), rows = g.shape(q);
  const Value mask = g.add(op_attention_mask, {n.inputs[3], n.inputs[4]},
                           {{"sequences", cache[0].factor},
                            {"cells", cache[1].factor},
                            {"causal", a.integer("causal")},
                            {"window", a.integer("window", 0)},
                            {"keep", a.integer("keep", 0)}});
  Value scores = ops::batch_matmul(g, heads_first(g, q), cells(g, n.inputs[1]), false, true);
  scores = ops::softcap(g, ops::scale(g, scores, a.real("scale")), a.real("softcap", 0));
  if (has(a, "bias")) {  // the mask hides what stands in other sequences
    const std::vector<Value> each(static_cast<size_t>(cache[0].factor), n.inputs.back());
    scores = ops::add(g, scores, ops::concat_columns(g, each));
  }
  scores = ops::add(g, scores, mask);
  const Value sinks = has(a, "sinks") ? n.inputs[5] : Value{};
  const Value lse = log_sum(g, scores, sinks);
  const Value p = sinks.defined() ? ops::exp(g, ops::add_rows(g, scores, ops::scale(g, lse, -1)))
                                  : ops::softmax(g, scores);
  const Value out = ops::batch_matmul(g, p, cells(g, n.inputs[2]), false, false);
  return {ops::cast(g, heads_first(g, out), n.outputs[0].dtype),
          ops::reshape(g, heads_first(g, lse), {rows[0], rows[1]})};
}

// With P = exp(scores - lse), delta = sum(dout out) of each row and G = P (dout v^T - delta):
//   dv = P^T dout,  dS = G cap' scale,  dq = dS k,  dk = dS^T q,  dbias = G,
//   dsinks = -sum over rows of exp(sink - lse) delta
std::vector<Value> gradient(const GradientContext& c) {
  const Value dout = ops::cast(c.graph, c.output_gradients[0], c.graph.dtype(c.input(0)));
  std::vector<Value> inputs{c.input(0), c.input(1),   c.input(2),   c.input(3),
                            c.input(4), c.outputs[0], c.outputs[1], dout};
  for (size_t i = 5; i < c.node.inputs.size(); ++i) inputs.push_back(c.input(i));
  std::vector<Value> grads =
      c.graph.add_multi(op_attention_grad, std::move(inputs), c.attributes());
  grads.insert(grads.begin() + 3, 2, Value{});  // sequences and positions
  return grads;
}

std::vector<Type> infer_grad(const InferContext& c) {
  c.check_arity(8 + extras(c.attributes));
  c.check(!has(c.attributes, "pages") && !has(c.attributes, "keep"), "cells that lie in order");
  const DType t = c.type(0).dtype;
  c.check(c.type(1).dtype == t && c.type(5).dtype == t && c.type(7) == c.type(5),
          "q, k, v, out and dout of one type");
  std::vector<Type> types{c.type(0), c.type(1), c.type(2)};
  for (Type& extra : extra_types(c, 8)) types.push_back(std::move(extra));
  return types;
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
  c.check_arity(4, 5);
  const SymShape &cache = c.shape(0), &x = c.shape(1);
  const bool paged = c.inputs.size() == 5;
  c.check(
      cache.rank() == 4 && x.rank() == 3 && cache[axes(paged).heads] == x[1] && cache[3] == x[2],
      "a cache [S, C, K, D] (or pages of one) and rows [N, K, D]");
  c.check(is_plain(c.type(0).dtype) || is_block(c.type(0).dtype), "a plain, q8_0 or q4_0 cache");
  c.check(whole_groups(c.type(0), paged), "an interleaved cache of whole groups");
  const Type index{DType::i32, {x[0]}};
  c.check(c.type(2) == index && c.type(3) == index, "an i32 sequence and position for each row");
  if (paged) check_pages(c, 0, 4);
  return {c.type(0)};
}

}  // namespace

const Op op_attention{.name = "attention",
                      .infer = infer,
                      .gradient = gradient,
                      .fallback = fallback,
                      .reads_interleaved = true};
const Op op_attention_grad{.name = "attention_grad", .infer = infer_grad};
const Op op_attention_mask{.name = "attention_mask", .infer = infer_mask, .gradient = no_gradient};
const Op op_cache_write{.name = "cache_write",
                        .infer = infer_cache_write,
                        .alias = 0,
                        .effect = true,
                        .reads_interleaved = true};

Value ops::attention(Graph& g, Value q, Value k, Value v, Value sequences, Value positions,
                     const AttentionOptions& o) {
  std::vector<Value> inputs{q, k, v, sequences, positions};
  Attributes a{{"scale", o.scale}, {"causal", int64_t{o.causal}}};
  if (o.window > 0) a.set("window", o.window);
  if (o.window > 0 && o.keep > 0) a.set("keep", o.keep);
  if (o.softcap > 0) a.set("softcap", o.softcap);
  if (o.pages.defined()) {
    a.set("pages", int64_t{1});
    inputs.push_back(o.pages);
  }
  if (o.sinks.defined()) {
    a.set("sinks", int64_t{1});
    inputs.push_back(o.sinks);
  }
  if (o.bias.defined()) {
    a.set("bias", int64_t{1});
    inputs.push_back(o.bias);
  }
  return g.add(op_attention, std::move(inputs), std::move(a));
}

Value ops::cache_write(Graph& g, Value cache, Value x, Value sequences, Value positions,
                       Value pages) {
  std::vector<Value> inputs{cache, x, sequences, positions};
  if (pages.defined()) inputs.push_back(pages);
  return g.add(op_cache_write, std::move(inputs));
}

}  // namespace bantam
