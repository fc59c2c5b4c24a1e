#pragma once

#include "models/hf/families.h"

// Names that many families share.
namespace bantam::hf {

inline constexpr std::string_view kLayers = "model.layers.*.";

inline constexpr TensorRule kStem[] = {
    {"model.embed_tokens", "token_embd"},
    {"model.norm", "output_norm"},
    {"lm_head", "output"},
};

inline constexpr TensorRule kNorms[] = {
    {"input_layernorm", "attn_norm"},
    {"post_attention_layernorm", "ffn_norm"},
};

inline constexpr TensorRule kAttention[] = {
    {"self_attn.q_proj", "attn_q"},
    {"self_attn.k_proj", "attn_k"},
    {"self_attn.v_proj", "attn_v"},
    {"self_attn.o_proj", "attn_output"},
    {"self_attn.q_norm", "attn_q_norm"},
    {"self_attn.k_norm", "attn_k_norm"},
    {"self_attn.rotary_emb.inv_freq", "", &drop},
};

// Before kAttention, where GGUF wants pairs.
inline constexpr TensorRule kPairs[] = {
    {"self_attn.q_proj", "attn_q", &rotary_q},
    {"self_attn.k_proj", "attn_k", &rotary_k},
};

inline constexpr TensorRule kFeedForward[] = {
    {"mlp.gate_proj", "ffn_gate"},
    {"mlp.up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"},
};

inline constexpr TensorRule kGraniteExperts[] = {
    {"block_sparse_moe.router.layer", "ffn_gate_inp"},
    {"block_sparse_moe.input_linear", "ffn_gate_exps ffn_up_exps", &halves},
    {"block_sparse_moe.output_linear", "ffn_down_exps"},
    {"shared_mlp.input_linear", "ffn_gate_shexp ffn_up_shexp", &halves},
    {"shared_mlp.output_linear", "ffn_down_shexp"},
};

inline constexpr KeyRule kWindowKeys[] = {
    {"sliding_window", "attention.sliding_window"},
};

inline constexpr KeyRule kMixtureKeys[] = {
    {"num_experts", "expert_count"},
    {"num_local_experts", "expert_count"},
    {"n_routed_experts", "expert_count"},
    {"num_experts_per_tok", "expert_used_count"},
    {"moe_intermediate_size", "expert_feed_forward_length"},
};

inline constexpr KeyRule kGraniteKeys[] = {
    {"logits_scaling", "logit_scale", KeyRule::number},
    {"residual_multiplier", "residual_scale", KeyRule::number},
    {"embedding_multiplier", "embedding_scale", KeyRule::number},
    {"attention_multiplier", "attention.scale", KeyRule::number},
};
inline constexpr KeyRule kGraniteSharedKeys[] = {
    {"shared_intermediate_size", "expert_shared_feed_forward_length"},
};

}  // namespace bantam::hf
