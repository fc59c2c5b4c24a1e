#include "base/error.h"
#include "graph/op.h"
#include "graph/ops.h"

// Rotary position embedding (Su et al. 2021). Pair i of a head turns by
//   angle = position theta^(-2i / rotary_dims), scaled as RopeOptions says;
// pairs are (2i, 2i + 1) or (i, i + rotary_dims / 2), the remaining elements pass unchanged. The
// gradient is the rotation by the opposite angle.

namespace bantam {

extern const Op op_rope;

namespace {

std::vector<Type> infer(const InferContext& c) {
  c.check_arity(2, 3);
  c.check(c.type(0).dtype == DType::f32 || c.type(0).dtype == DType::bf16, "f32 or bf16");
  c.check(c.shape(0).rank() == 3, "x [N, H, D]");
  c.check(c.type(1) == Type{DType::i32, {c.shape(0)[0]}}, "an i32 position for each row");
  const int64_t rotary = c.attributes.integer("rotary_dims");
  c.check(rotary > 0 && rotary % 2 == 0 && rotary <= c.shape(0)[2].factor,
          fmt::format("an even number of rotary dimensions within the head (it is {})", rotary));
  if (c.inputs.size() == 3) {
    c.check(c.type(2) == Type{DType::f32, {rotary / 2}}, "one f32 frequency factor for each pair");
  }
  return {c.type(0)};
}

std::vector<Value> gradient(const GradientContext& c) {
  Attributes a = c.attributes();
  a.set("inverse", int64_t{a.integer("inverse") == 0});
  std::vector<Value> inputs(c.node.inputs);
  inputs[0] = c.output_gradients[0];
  std::vector<Value> result(inputs.size());
  result[0] = c.graph.add(op_rope, std::move(inputs), std::move(a));
  return result;
}

}  // namespace

const Op op_rope{.name = "rope", .infer = infer, .gradient = gradient, .inplace = 0};

Value ops::rope(Graph& g, Value x, Value positions, const RopeOptions& o) {
  std::vector<Value> inputs{x, positions};
  if (o.factors.defined()) inputs.push_back(o.factors);
  Attributes a{{"theta", o.theta},
               {"pairs", static_cast<int64_t>(o.pairs)},
               {"rotary_dims", o.dims},
               {"inverse", int64_t{o.inverse}}};
  if (o.scale != 1) a.set("scale", o.scale);
  if (o.magnitude != 1) a.set("magnitude", o.magnitude);
  if (o.context > 0) {
    a.set("context", o.context);
    a.set("beta_fast", o.beta_fast);
    a.set("beta_slow", o.beta_slow);
  }
  return g.add(op_rope, std::move(inputs), std::move(a));
}

}  // namespace bantam
