#include "graph/op.h"
#include "graph/ops.h"
#include "tensor/layout.h"

// How much attention the cells of a paged cache have had (Zhang et al. 2023, "H2O: Heavy-Hitter
// Oracle"): mass [S, K, C] gains, for each row n in order and each query head of a key/value head
// in order,
//   exp(score - lse)  for all cells 0..positions[n] of sequence sequences[n],
// with score and lse as attention has them. The mass of the cell positions[n] itself begins there:
// what it was before is forgotten. Each sum is a chain in that order, so that it does not depend on
// how rows were split into runs. Rows of a sequence come in ascending order; C is 64 B.
//
// Inputs: mass, q [N, H, D], k [P, K, 64, D] (interleaved), lse [N, H], sequences, positions,
// pages [S, B].

namespace bantam {

extern const Op op_attention_mass;

namespace {

std::vector<Type> infer(const InferContext& c) {
  c.check_arity(7);
  const SymShape &q = c.shape(1), &k = c.shape(2), &pages = c.shape(6);
  c.check(c.type(1).dtype == DType::f32 && q.rank() == 3, "f32 queries [N, H, D]");
  c.check(c.type(2).layout == Layout::interleaved && k.rank() == 4 && k[2] == Extent(kPageCells) &&
              k[3] == q[2] && q[1].factor % k[1].factor == 0,
          "interleaved keys in pages [P, K, 64, D]");
  c.check(c.type(6).dtype == DType::i32 && pages.rank() == 2, "an i32 table of pages [S, B]");
  c.check(c.type(0) == Type{DType::f32, {pages[0], k[1], pages[1] * kPageCells}},
          "f32 masses [S, K, C]");
  c.check(c.type(3) == Type{DType::f32, {q[0], q[1]}}, "an f32 lse for each row and head");
  const Type index{DType::i32, {q[0]}};
  c.check(c.type(4) == index && c.type(5) == index, "an i32 sequence and position for each row");
  return {c.type(0)};
}

}  // namespace

const Op op_attention_mass{.name = "attention_mass",
                           .infer = infer,
                           .alias = 0,
                           .effect = true,
                           .reads_interleaved = true};

Value ops::attention_mass(Graph& g, Value mass, Value q, Value k, Value lse, Value sequences,
                          Value positions, const AttentionOptions& o) {
  Attributes a{{"scale", o.scale}};
  if (o.softcap > 0) a.set("softcap", o.softcap);
  return g.add(op_attention_mass, {mass, q, k, lse, sequences, positions, o.pages}, std::move(a));
}

}  // namespace bantam
