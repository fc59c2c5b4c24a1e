#include "base/error.h"
#include "graph/op.h"
#include "graph/ops.h"

// Rotary position embedding (Su et al. 2021). Pair i of a head turns by
//   angle = position theta^(-2i / rotary_dims), scaled as RopeOptions says;
// pairs are (2i, 2i + 1) or (i, i + rotary_dims / 2), the remaining elements pass unchanged.
// Cosines and sines are a value of their own: every block that turns by the same angles reads one
// table. The gradient is the rotation by the opposite angle.

namespace bantam {

extern const Op op_rope, op_rope_table;

namespace {

// Cosines and sines of a row, laid out for the pairs (cpu/rope/rope.h).
int64_t table_columns(const Attributes& a) {
  const bool interleaved = a.integer("pairs") == static_cast<int64_t>(ops::RopePairs::interleaved);
  return a.integer("rotary_dims") * (interleaved ? 2 : 1);
}

std::vector<Type> infer_table(const InferContext& c) {
  c.check_arity(1, 2);
  c.check(c.type(0).dtype == DType::i32 && c.shape(0).rank() == 1, "i32 positions [N]");
  const int64_t rotary = c.attributes.integer("rotary_dims");
  c.check(rotary > 0 && rotary % 2 == 0,
          fmt::format("an even number of rotary dimensions (it is {})", rotary));
  if (c.inputs.size() == 2) {
    c.check(c.type(1) == Type{DType::f32, {rotary / 2}}, "one f32 frequency factor for each pair");
  }
  return {{DType::f32, {c.shape(0)[0], table_columns(c.attributes)}}};
}

std::vector<Value> no_gradient(const GradientContext& c) {
  return std::vector<Value>(c.node.inputs.size());
}

std::vector<Type> infer(const InferContext& c) {
  c.check_arity(2);
  c.check(c.type(0).dtype == DType::f32 || c.type(0).dtype == DType::bf16, "f32 or bf16");
  c.check(c.shape(0).rank() == 3, "x [N, H, D]");
  c.check(c.type(1) == Type{DType::f32, {c.shape(0)[0], table_columns(c.attributes)}},
          "a row of cosines and sines for each row");
  const int64_t rotary = c.attributes.integer("rotary_dims");
  c.check(rotary <= c.shape(0)[2].factor,
          fmt::format("rotary dimensions within the head (they are {})", rotary));
  return {c.type(0)};
}

std::vector<Value> gradient(const GradientContext& c) {
  const Node table = c.graph.node(c.input(1));
  Attributes opposite = table.attributes;
  opposite.set("inverse", int64_t{opposite.integer("inverse") == 0});
  const Value back = c.graph.add(op_rope_table, table.inputs, std::move(opposite));
  return {c.graph.add(op_rope, {c.output_gradients[0], back}, c.attributes()), Value{}};
}

}  // namespace

const Op op_rope_table{.name = "rope_table", .infer = infer_table, .gradient = no_gradient};
const Op op_rope{.name = "rope", .infer = infer, .gradient = gradient, .inplace = 0};

Value ops::rope(Graph& g, Value x, Value positions, const RopeOptions& o) {
  const Attributes turn{{"pairs", static_cast<int64_t>(o.pairs)}, {"rotary_dims", o.dims}};
  std::vector<Value> inputs{positions};
  if (o.factors.defined()) inputs.push_back(o.factors);
  Attributes a = turn;
  a.set("theta", o.theta);
  a.set("inverse", int64_t{o.inverse});
  if (o.scale != 1) a.set("scale", o.scale);
  if (o.magnitude != 1) a.set("magnitude", o.magnitude);
  if (o.context > 0) {
    a.set("context", o.context);
    a.set("beta_fast", o.beta_fast);
    a.set("beta_slow", o.beta_slow);
  }
  return g.add(op_rope, {x, g.add(op_rope_table, std::move(inputs), std::move(a))}, turn);
}

}  // namespace bantam
