#include "graph/op.h"
#include "graph/ops.h"

// Biases of attention scores by relative position (Raffel et al. 2020): with d = j - positions[n],
//   y[h, n, j] = table[bucket(d), h].
// If bidirectional, the upper half of the B buckets is for d > 0 and B is halved. Distances
// |d| < B / 2 have buckets of their own; beyond,
//   bucket = B / 2 + floor(ln(2 |d| / B) / ln(2 most / B) B / 2), at most B - 1.
// Without that, cells after the row count as distance 0.

namespace bantam {

extern const Op op_relative_bias, op_relative_bias_grad;

namespace {

std::vector<Type> infer(const InferContext& c) {
  c.check_arity(2);
  const SymShape& table = c.shape(0);
  c.check(c.type(0).dtype == DType::f32 && table.rank() == 2, "an f32 table [buckets, H]");
  const Extent N = c.shape(1)[0];
  c.check(c.type(1) == Type{DType::i32, {N}}, "an i32 position for each row");
  const int64_t half = table[0].factor / (c.attributes.integer("bidirectional") != 0 ? 2 : 1);
  c.check(half >= 2 && c.attributes.integer("most") > half / 2,
          "at least 2 buckets for each direction, and distances beyond the exact ones");
  return {{DType::f32, {table[1], N, c.attributes.integer("cells")}}};
}

std::vector<Value> gradient(const GradientContext& c) {
  Attributes a = c.attributes();
  a.set("buckets", c.graph.shape(c.input(0))[0].factor);
  const Value dtable =
      c.graph.add(op_relative_bias_grad, {c.output_gradients[0], c.input(1)}, std::move(a));
  return {dtable, {}};
}

std::vector<Type> infer_grad(const InferContext& c) {
  c.check_arity(2);
  return {{DType::f32, {c.attributes.integer("buckets"), c.shape(0)[0]}}};
}

}  // namespace

const Op op_relative_bias{.name = "relative_bias", .infer = infer, .gradient = gradient};
const Op op_relative_bias_grad{.name = "relative_bias_grad", .infer = infer_grad};

Value ops::relative_bias(Graph& g, Value table, Value positions, const RelativeBias& o) {
  return g.add(op_relative_bias, {table, positions},
               {{"cells", o.cells}, {"most", o.most}, {"bidirectional", int64_t{o.bidirectional}}});
}

}  // namespace bantam
