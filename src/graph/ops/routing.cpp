#include <fmt/format.h>

#include "graph/op.h"
#include "graph/ops.h"

// Which experts a row goes to, and where its row stands among those of one expert.

namespace bantam {

extern const Op op_top_k, op_pick, op_pick_grad, op_group_by_expert, op_expert_load;

namespace {

std::vector<Value> no_gradient(const GradientContext& c) {
  return std::vector<Value>(c.node.inputs.size());
}

std::vector<Type> infer_top_k(const InferContext& c) {
  c.check_arity(1);
  c.check(c.type(0).dtype == DType::f32 && c.shape(0).rank() == 2, "f32 scores [N, E]");
  const int64_t experts = c.shape(0)[1].factor, k = c.attributes.integer("k");
  const int64_t groups = c.attributes.integer("groups"), used = c.attributes.integer("groups_used");
  c.check(groups >= 1 && experts % groups == 0 && used >= 1 && used <= groups,
          fmt::format("{} experts in {} groups of which 1 or more are used", experts, groups));
  c.check(k >= 1 && k <= experts / groups * used, "at least k experts");
  return {{DType::i32, {c.shape(0)[0], k}}};
}

void check_indices(const InferContext& c, size_t i, Extent rows) {
  c.check(c.type(i).dtype == DType::i32 && c.shape(i).rank() == 2 && c.shape(i)[0] == rows,
          "i32 indices [N, k]");
}

// y[n, j] = x[n, indices[n, j]]
std::vector<Type> infer_pick(const InferContext& c) {
  c.check_arity(2);
  c.check(c.type(0).dtype == DType::f32 && c.shape(0).rank() == 2, "f32 [N, E]");
  check_indices(c, 1, c.shape(0)[0]);
  return {{DType::f32, c.shape(1)}};
}

std::vector<Value> gradient_pick(const GradientContext& c) {
  return {c.graph.add(op_pick_grad, {c.input(1), c.output_gradients[0]},
                      {{"columns", c.graph.shape(c.input(0))[1].factor}}),
          {}};
}

std::vector<Type> infer_pick_grad(const InferContext& c) {
  c.check_arity(2);
  c.check(c.type(1) == Type{DType::f32, c.shape(0)}, "one f32 gradient for each index");
  return {{DType::f32, {c.shape(0)[0], c.attributes.integer("columns")}}};
}

// Rows that go to the same expert stand together, in the order of the rows.
std::vector<Type> infer_group(const InferContext& c) {
  c.check_arity(1);
  check_indices(c, 0, c.shape(0)[0]);
  const Extent routed = c.shape(0).elements();
  return {{DType::i32, {routed}},
          {DType::i32, {routed}},
          {DType::i32, c.shape(0)},
          {DType::i32, {c.attributes.integer("experts") + 1}}};
}

std::vector<Type> infer_load(const InferContext& c) {
  c.check_arity(1);
  c.check(c.type(0).dtype == DType::i32 && c.shape(0).rank() == 1 && c.shape(0)[0].factor > 1,
          "i32 offsets [E + 1]");
  return {{DType::f32, {c.shape(0)[0].factor - 1}}};
}

}  // namespace

const Op op_top_k{.name = "top_k", .infer = infer_top_k, .gradient = no_gradient, .onnx = "TopK"};
const Op op_pick{.name = "pick", .infer = infer_pick, .gradient = gradient_pick};
const Op op_pick_grad{.name = "pick_grad", .infer = infer_pick_grad};
const Op op_group_by_expert{
    .name = "group_by_expert", .infer = infer_group, .gradient = no_gradient};
const Op op_expert_load{.name = "expert_load", .infer = infer_load, .gradient = no_gradient};

Value ops::top_k(Graph& g, Value scores, int64_t k, int64_t groups, int64_t groups_used) {
  return g.add(op_top_k, {scores}, {{"k", k}, {"groups", groups}, {"groups_used", groups_used}});
}

Value ops::pick(Graph& g, Value x, Value indices) {
  return g.add(op_pick, {x, indices});
}

ops::ExpertGroups ops::group_by_expert(Graph& g, Value experts, int64_t count) {
  const auto v = g.add_multi(op_group_by_expert, {experts}, {{"experts", count}});
  return {v[0], v[1], v[2], v[3]};
}

Value ops::expert_load(Graph& g, Value offsets) {
  return g.add(op_expert_load, {offsets});
}

}  // namespace bantam
