#pragma once

#include "models/builder.h"
#include "models/config_keys.h"

namespace bantam {

// Sparse mixtures of experts (Shazeer et al. 2017): a router sends every row to a few of many
// feed-forward networks, and only their weights are read.

// How scores become the weights of the chosen experts.
struct Routing {
  enum class Gate {
    softmax,         // over all experts, then choose
    sigmoid,         // of each score, then choose
    softmax_chosen,  // choose by score, then softmax over the chosen
  } gate = Gate::softmax;
  bool renormalise = true;  // the chosen weights sum to 1
};

// What experts compute between their projections.
using ExpertUnit = Value (*)(Graph& g, Value gate, Value up);

// ffn_gate_inp, ffn_gate_exps, ffn_up_exps, ffn_down_exps [E, ...], with biases where `bias` says
// so.
Value mixture_of_experts(Builder& b, const ModelConfig& c, Value x, const Routing& routing,
                         ExpertUnit unit = ops::swiglu, Bias bias = Bias::never);
// The expert that every row goes to: ffn_gate_shexp, ffn_up_shexp, ffn_down_shexp.
Value shared_expert(Builder& b, const ModelConfig& c, Value x, int64_t feed_forward);

// expert_count, expert_used_count (none: no experts) and expert_feed_forward_length.
void expert_keys(ConfigKeys& k, ModelConfig& c);
// How DeepSeek's files describe routing: expert_shared_count, expert_weights_scale and _norm,
// expert_gating_func, expert_group_count and _used_count.
void routing_keys(ConfigKeys& k, ModelConfig& c);

}  // namespace bantam
