#include "base/error.h"
#include "models/hf/tensor_groups.h"

// Mixtures of experts.

namespace bantam::hf {

namespace {

constexpr TensorRule kMixtral[] = {
    {"block_sparse_moe.gate", "ffn_gate_inp"},
    {"block_sparse_moe.experts.*.w1", "ffn_gate_exps", &stack},
    {"block_sparse_moe.experts.*.w2", "ffn_down_exps", &stack},
    {"block_sparse_moe.experts.*.w3", "ffn_up_exps", &stack},
};

constexpr TensorRule kExperts[] = {
    {"mlp.gate", "ffn_gate_inp"},
    {"mlp.experts.*.gate_proj", "ffn_gate_exps", &stack},
    {"mlp.experts.*.up_proj", "ffn_up_exps", &stack},
    {"mlp.experts.*.down_proj", "ffn_down_exps", &stack},
};

constexpr TensorRule kQwenShared[] = {
    {"mlp.shared_expert_gate", "ffn_gate_inp_shexp", &squeeze},
    {"mlp.shared_expert.gate_proj", "ffn_gate_shexp"},
    {"mlp.shared_expert.up_proj", "ffn_up_shexp"},
    {"mlp.shared_expert.down_proj", "ffn_down_shexp"},
};

constexpr TensorRule kDeepSeek[] = {
    {"self_attn.q_a_proj", "attn_q_a"},
    {"self_attn.q_a_layernorm", "attn_q_a_norm"},
    {"self_attn.q_b_proj", "attn_q_b"},
    {"self_attn.kv_a_proj_with_mqa", "attn_kv_a_mqa"},
    {"self_attn.kv_a_layernorm", "attn_kv_a_norm"},
    {"self_attn.kv_b_proj", "attn_k_b attn_v_b", &latent_parts},
    {"mlp.gate.e_score_correction_bias", "exp_probs_b.bias"},
    {"mlp.shared_experts.gate_proj", "ffn_gate_shexp"},
    {"mlp.shared_experts.up_proj", "ffn_up_shexp"},
    {"mlp.shared_experts.down_proj", "ffn_down_shexp"},
};

constexpr TensorRule kGptOss[] = {
    {"post_attention_layernorm", "post_attention_norm"},
    {"self_attn.sinks", "attn_sinks.weight"},
    {"mlp.router", "ffn_gate_inp"},
    {"mlp.experts.gate_up_proj_blocks", "ffn_gate_exps.weight ffn_up_exps.weight", &mxfp4_turns},
    {"mlp.experts.gate_up_proj_scales", "", &drop},
    {"mlp.experts.gate_up_proj_bias", "ffn_gate_exps.bias ffn_up_exps.bias", &turns},
    {"mlp.experts.gate_up_proj", "ffn_gate_exps.weight ffn_up_exps.weight", &transposed_turns},
    {"mlp.experts.down_proj_blocks", "ffn_down_exps.weight", &mxfp4},
    {"mlp.experts.down_proj_scales", "", &drop},
    {"mlp.experts.down_proj_bias", "ffn_down_exps.bias"},
    {"mlp.experts.down_proj", "ffn_down_exps.weight", &transpose},
};

constexpr KeyRule kSharedKeys[] = {
    {"shared_expert_intermediate_size", "expert_shared_feed_forward_length"},
};

constexpr KeyRule kGptOssKeys[] = {
    {"experts_per_token", "expert_used_count"},
    {"intermediate_size", "expert_feed_forward_length"},
};

constexpr KeyRule kDeepSeekKeys[] = {
    {"q_lora_rank", "attention.q_lora_rank"},
    {"kv_lora_rank", "attention.kv_lora_rank"},
    {"v_head_dim", "attention.value_length_mla"},
    {"qk_rope_head_dim", "rope.dimension_count"},
    {"first_k_dense_replace", "leading_dense_block_count"},
    {"n_shared_experts", "expert_shared_count"},
    {"routed_scaling_factor", "expert_weights_scale", KeyRule::number},
    {"norm_topk_prob", "expert_weights_norm", KeyRule::flag},
};

void every_block(const KeyWriter& k) {
  const JsonField step = k.config["decoder_sparse_step"], dense = k.config["mlp_only_layers"];
  expect(step.integer(1) == 1, step, "1: experts in every block");
  expect(dense.items().empty(), dense, "no blocks");
}

void deepseek_scaling(const KeyWriter& k) {
  const JsonField scaling = first_of(k.config, {"rope_scaling", "rope_parameters"});
  if (!scaling || !scaling["mscale_all_dim"]) return;
  const double all = scaling["mscale_all_dim"].real();
  expect(scaling["mscale"].real(1) == all, scaling["mscale"], "the number that mscale_all_dim has");
  k.number("rope.scaling.yarn_log_multiplier", 0.1 * all);
}

void deepseek_keys(const KeyWriter& k) {
  const int64_t rotated = k.config["qk_rope_head_dim"].integer();
  // What attention works on is latents, one for all heads.
  k.count("attention.head_count_kv", 1);
  k.count("attention.key_length", k.d.latent_rank + rotated);
  k.count("attention.value_length", k.d.latent_rank);
  k.count("attention.key_length_mla", k.d.plain_key + rotated);
  const std::string gate = k.config["scoring_func"].text("softmax");
  expect(gate == "softmax" || gate == "sigmoid", k.config["scoring_func"], "softmax or sigmoid");
  k.count("expert_gating_func", gate == "sigmoid" ? 2 : 1);
  const JsonField frequency = k.config["moe_layer_freq"];
  expect(frequency.integer(1) == 1, frequency, "1: experts in every block after the dense ones");
  // Models without a choice of groups may name some all the same.
  if (k.config["topk_method"].text("greedy") != "greedy") {
    k.count("expert_group_count", k.config["n_group"].integer(1));
    k.count("expert_group_used_count", k.config["topk_group"].integer(1));
  }
  deepseek_scaling(k);
}

void gpt_oss_keys(const KeyWriter& k) {
  int64_t block = 0;
  for (const JsonField& kind : k.config["layer_types"].items()) {
    const char* expected = block++ % 2 == 0 ? "sliding_attention" : "full_attention";
    expect(kind.text() == expected, kind, expected);
  }
  const JsonField limit = k.config["swiglu_limit"];
  expect(limit.real(7) == 7, limit, "7");
}

using Tensors = Groups<TensorGroup>;

constexpr Tensors kMixtralTensors = {
    {"", kStem}, {kLayers, kPairs}, {kLayers, kAttention}, {kLayers, kNorms}, {kLayers, kMixtral}};
constexpr Tensors kPhiMoe = {
    {"", kStem}, {kLayers, kAttention}, {kLayers, kNorms}, {kLayers, kMixtral}};
constexpr Tensors kGraniteTensors = {{"", kStem},
                                     {kLayers, kPairs},
                                     {kLayers, kAttention},
                                     {kLayers, kNorms},
                                     {kLayers, kGraniteExperts}};
constexpr Tensors kQwen = {{"", kStem},
                           {kLayers, kAttention},
                           {kLayers, kNorms},
                           {kLayers, kExperts},
                           {kLayers, kQwenShared}};
constexpr Tensors kDeepSeekTensors = {{"", kStem},         {kLayers, kAttention},
                                      {kLayers, kNorms},   {kLayers, kFeedForward},
                                      {kLayers, kExperts}, {kLayers, kDeepSeek}};
constexpr Tensors kGptOssTensors = {
    {"", kStem}, {kLayers, kGptOss}, {kLayers, kAttention}, {kLayers, kNorms}};

constexpr Family kFamilies[] = {
    {"mixtral", "llama", kMixtralTensors, {kMixtureKeys, kWindowKeys}},
    {"phimoe", "phimoe", kPhiMoe, {kMixtureKeys, kWindowKeys}},
    {"qwen2_moe", "qwen2moe", kQwen, {kMixtureKeys, kSharedKeys}, every_block},
    {"qwen3_moe", "qwen3moe", kQwen, {kMixtureKeys, kSharedKeys}, every_block},
    {"olmoe", "olmoe", kQwen, {kMixtureKeys}},
    {"granitemoe", "granitemoe", kGraniteTensors, {kMixtureKeys, kGraniteKeys}},
    {"granitemoeshared",
     "granitemoe",
     kGraniteTensors,
     {kMixtureKeys, kGraniteSharedKeys, kGraniteKeys}},
    {"gpt_oss", "gpt-oss", kGptOssTensors, {kGptOssKeys, kMixtureKeys, kWindowKeys}, gpt_oss_keys},
    {"deepseek_v2", "deepseek2", kDeepSeekTensors, {kMixtureKeys, kDeepSeekKeys}, deepseek_keys},
    {"deepseek_v3", "deepseek2", kDeepSeekTensors, {kMixtureKeys, kDeepSeekKeys}, deepseek_keys},
};

}  // namespace

std::span<const Family> mixture_families() {
  return kFamilies;
}

}  // namespace bantam::hf
