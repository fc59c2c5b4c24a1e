#include "models/experts.h"

#include <algorithm>

#include "base/error.h"

namespace bantam {
namespace {

// Which experts each row goes to, i32 [N, k], and with which weights, f32 [N, k].
struct Choice {
  Value logits, experts, weights;
};

Choice choose(Builder& b, const ModelConfig& c, Value x, const Routing& routing, Bias bias) {
  Graph& g = b.g;
  const Experts& e = c.experts;
  const Value logits = ops::cast(g, b.linear(x, b.name("ffn_gate_inp"), e.count, bias), DType::f32);
  Value scores = logits;
  if (routing.gate == Routing::Gate::softmax) scores = ops::softmax(g, logits);
  if (routing.gate == Routing::Gate::sigmoid) scores = ops::sigmoid(g, logits);
  // A correction decides about the choice only (Wang et al. 2024).
  const Value correction = b.optional_parameter(b.name("exp_probs_b.bias"), {e.count});
  const Value ranked = correction.defined() ? ops::add(g, scores, correction) : scores;
  Choice choice;
  choice.logits = logits;
  choice.experts = ops::top_k(g, ranked, e.used, e.groups, e.groups_used);
  choice.weights = ops::pick(g, scores, choice.experts);
  if (routing.gate == Routing::Gate::softmax_chosen) {
    choice.weights = ops::softmax(g, choice.weights);
  } else if (routing.renormalise) {
    const Value sum = ops::shift(g, ops::row_sum(g, choice.weights), 1e-20);
    choice.weights = ops::mul_rows(g, choice.weights, ops::reciprocal(g, sum));
  }
  choice.weights = ops::scale(g, choice.weights, e.weights_scale);
  return choice;
}

}  // namespace

Value mixture_of_experts(Builder& b, const ModelConfig& c, Value x, const Routing& routing,
                         ExpertUnit unit, Bias bias) {
  Graph& g = b.g;
  if (c.experts.count == 0) {
    fail(ErrorKind::model, c.architecture, "expert_count: expected a positive number, got 0");
  }
  const int64_t F = c.experts.feed_forward_length;
  const Choice choice = choose(b, c, x, routing, bias);
  const ops::ExpertGroups groups = ops::group_by_expert(g, choice.experts, c.experts.count);
  b.balance_experts(choice.logits, groups.offsets);
  const Value rows = ops::embedding(g, x, groups.rows, g.dtype(x));
  const Value gate =
      b.expert_linear(rows, b.name("ffn_gate_exps"), F, c.experts.count, groups, bias);
  const Value up = b.expert_linear(rows, b.name("ffn_up_exps"), F, c.experts.count, groups, bias);
  const Value down = b.expert_linear(unit(g, gate, up), b.name("ffn_down_exps"), c.embedding_length,
                                     c.experts.count, groups, bias);
  const Value y =
      ops::combine_experts(g, ops::cast(g, down, DType::f32), groups.slots, choice.weights);
  return b.dropout(y);
}

Value shared_expert(Builder& b, const ModelConfig& c, Value x, int64_t feed_forward) {
  const Value gate = b.linear(x, b.name("ffn_gate_shexp"), feed_forward);
  const Value up = b.linear(x, b.name("ffn_up_shexp"), feed_forward);
  const Value y = ops::swiglu(b.g, gate, up);
  return b.dropout(b.linear(y, b.name("ffn_down_shexp"), c.embedding_length));
}

void expert_keys(ConfigKeys& k, ModelConfig& c) {
  Experts& e = c.experts;
  k.size("expert_count", e.count);
  if (e.count == 0) return;
  k.count("expert_used_count", e.used);
  k.expect(e.used <= e.count, "expert_used_count", fmt::format("at most {} experts", e.count),
           e.used);
  k.size("expert_feed_forward_length", e.feed_forward_length, c.feed_forward_length);
}

void routing_keys(ConfigKeys& k, ModelConfig& c) {
  Experts& e = c.experts;
  k.size("expert_shared_count", e.shared);
  k.positive("expert_weights_scale", e.weights_scale, 1);
  k.flag("expert_weights_norm", e.renormalise, false);
  int64_t gate = e.sigmoid_gate ? 2 : 1;
  k.size("expert_gating_func", gate, 1);
  k.expect(gate >= 0 && gate <= 2, "expert_gating_func", "1 (softmax) or 2 (sigmoid)", gate);
  e.sigmoid_gate = gate == 2;
  k.size("expert_group_count", e.groups, 1);
  k.size("expert_group_used_count", e.groups_used, 1);
  e.groups = std::max<int64_t>(e.groups, 1);
  e.groups_used = std::max<int64_t>(e.groups_used, 1);
  if (e.count == 0) return;
  k.expect(e.count % e.groups == 0, "expert_group_count",
           fmt::format("a divisor of the {} experts", e.count), e.groups);
  k.expect(e.groups_used <= e.groups && e.used <= e.count / e.groups * e.groups_used,
           "expert_group_used_count", fmt::format("groups for {} experts", e.used), e.groups_used);
}

}  // namespace bantam
