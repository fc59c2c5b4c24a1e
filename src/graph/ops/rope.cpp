#include "base/error.h"
#include "graph/op.h"
#include "graph/ops.h"

// Rotary position embedding (Su et al. 2021). Pair i of a head turns by
//   angle = position theta^(-2i / rotary_dims);
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

Value ops::rope(Graph& g, Value x, Value positions, double theta, RopePairs pairs,
                int64_t rotary_dims, bool inverse, Value factors) {
  std::vector<Value> inputs{x, positions};
  if (factors.defined()) inputs.push_back(factors);
  return g.add(op_rope, std::move(inputs),
               {{"theta", theta},
                {"pairs", static_cast<int64_t>(pairs)},
                {"rotary_dims", rotary_dims},
                {"inverse", int64_t{inverse}}});
}

}  // namespace bantam
