#include "models/hf/families.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace bantam::hf {

namespace {

using enum Change;

constexpr TensorRule kLlama[] = {
    {"model.embed_tokens", "token_embd"},
    {"model.norm", "output_norm"},
    {"lm_head", "output"},
    {"model.layers.*.input_layernorm", "blk.*.attn_norm"},
    {"model.layers.*.self_attn.q_proj", "blk.*.attn_q", rotary_q},
    {"model.layers.*.self_attn.k_proj", "blk.*.attn_k", rotary_k},
    {"model.layers.*.self_attn.v_proj", "blk.*.attn_v"},
    {"model.layers.*.self_attn.o_proj", "blk.*.attn_output"},
    {"model.layers.*.self_attn.rotary_emb.inv_freq", "", drop},
    {"model.layers.*.post_attention_layernorm", "blk.*.ffn_norm"},
    {"model.layers.*.mlp.gate_proj", "blk.*.ffn_gate"},
    {"model.layers.*.mlp.up_proj", "blk.*.ffn_up"},
    {"model.layers.*.mlp.down_proj", "blk.*.ffn_down"},
    {"model.layers.*.block_sparse_moe.gate", "blk.*.ffn_gate_inp"},
    {"model.layers.*.block_sparse_moe.experts.*.w1", "blk.*.ffn_gate_exps", expert},
    {"model.layers.*.block_sparse_moe.experts.*.w2", "blk.*.ffn_down_exps", expert},
    {"model.layers.*.block_sparse_moe.experts.*.w3", "blk.*.ffn_up_exps", expert},
};

// Families whose halves stay halves.
constexpr TensorRule kQwen[] = {
    {"model.embed_tokens", "token_embd"},
    {"model.norm", "output_norm"},
    {"lm_head", "output"},
    {"model.layers.*.input_layernorm", "blk.*.attn_norm"},
    {"model.layers.*.self_attn.q_proj", "blk.*.attn_q"},
    {"model.layers.*.self_attn.k_proj", "blk.*.attn_k"},
    {"model.layers.*.self_attn.v_proj", "blk.*.attn_v"},
    {"model.layers.*.self_attn.o_proj", "blk.*.attn_output"},
    {"model.layers.*.self_attn.q_norm", "blk.*.attn_q_norm"},
    {"model.layers.*.self_attn.k_norm", "blk.*.attn_k_norm"},
    {"model.layers.*.self_attn.rotary_emb.inv_freq", "", drop},
    {"model.layers.*.post_attention_layernorm", "blk.*.ffn_norm"},
    {"model.layers.*.mlp.gate_proj", "blk.*.ffn_gate"},
    {"model.layers.*.mlp.up_proj", "blk.*.ffn_up"},
    {"model.layers.*.mlp.down_proj", "blk.*.ffn_down"},
    {"model.layers.*.mlp.gate", "blk.*.ffn_gate_inp"},
    {"model.layers.*.mlp.experts.*.gate_proj", "blk.*.ffn_gate_exps", expert},
    {"model.layers.*.mlp.experts.*.up_proj", "blk.*.ffn_up_exps", expert},
    {"model.layers.*.mlp.experts.*.down_proj", "blk.*.ffn_down_exps", expert},
    {"model.layers.*.mlp.shared_expert_gate", "blk.*.ffn_gate_inp_shexp", squeeze},
    {"model.layers.*.mlp.shared_expert.gate_proj", "blk.*.ffn_gate_shexp"},
    {"model.layers.*.mlp.shared_expert.up_proj", "blk.*.ffn_up_shexp"},
    {"model.layers.*.mlp.shared_expert.down_proj", "blk.*.ffn_down_shexp"},
};

// OLMo 2 and EXAONE 4 normalise what attention and feed-forward give, not what they take.
constexpr TensorRule kPostNorm[] = {
    {"model.embed_tokens", "token_embd"},
    {"model.norm", "output_norm"},
    {"lm_head", "output"},
    {"model.layers.*.self_attn.q_proj", "blk.*.attn_q"},
    {"model.layers.*.self_attn.k_proj", "blk.*.attn_k"},
    {"model.layers.*.self_attn.v_proj", "blk.*.attn_v"},
    {"model.layers.*.self_attn.o_proj", "blk.*.attn_output"},
    {"model.layers.*.self_attn.q_norm", "blk.*.attn_q_norm"},
    {"model.layers.*.self_attn.k_norm", "blk.*.attn_k_norm"},
    {"model.layers.*.post_attention_layernorm", "blk.*.post_attention_norm"},
    {"model.layers.*.post_feedforward_layernorm", "blk.*.post_ffw_norm"},
    {"model.layers.*.mlp.gate_proj", "blk.*.ffn_gate"},
    {"model.layers.*.mlp.up_proj", "blk.*.ffn_up"},
    {"model.layers.*.mlp.down_proj", "blk.*.ffn_down"},
};

constexpr TensorRule kGemma[] = {
    {"model.embed_tokens", "token_embd"},
    {"model.norm", "output_norm", plus_one},
    {"lm_head", "", drop},  // always the embedding table
    {"model.layers.*.input_layernorm", "blk.*.attn_norm", plus_one},
    {"model.layers.*.self_attn.q_proj", "blk.*.attn_q"},
    {"model.layers.*.self_attn.k_proj", "blk.*.attn_k"},
    {"model.layers.*.self_attn.v_proj", "blk.*.attn_v"},
    {"model.layers.*.self_attn.o_proj", "blk.*.attn_output"},
    {"model.layers.*.post_attention_layernorm", "blk.*.ffn_norm", plus_one},
    {"model.layers.*.mlp.gate_proj", "blk.*.ffn_gate"},
    {"model.layers.*.mlp.up_proj", "blk.*.ffn_up"},
    {"model.layers.*.mlp.down_proj", "blk.*.ffn_down"},
};

constexpr TensorRule kGemma2[] = {
    {"model.embed_tokens", "token_embd"},
    {"model.norm", "output_norm", plus_one},
    {"lm_head", "", drop},
    {"model.layers.*.input_layernorm", "blk.*.attn_norm", plus_one},
    {"model.layers.*.self_attn.q_proj", "blk.*.attn_q"},
    {"model.layers.*.self_attn.k_proj", "blk.*.attn_k"},
    {"model.layers.*.self_attn.v_proj", "blk.*.attn_v"},
    {"model.layers.*.self_attn.o_proj", "blk.*.attn_output"},
    {"model.layers.*.self_attn.q_norm", "blk.*.attn_q_norm", plus_one},
    {"model.layers.*.self_attn.k_norm", "blk.*.attn_k_norm", plus_one},
    {"model.layers.*.post_attention_layernorm", "blk.*.post_attention_norm", plus_one},
    {"model.layers.*.pre_feedforward_layernorm", "blk.*.ffn_norm", plus_one},
    {"model.layers.*.post_feedforward_layernorm", "blk.*.post_ffw_norm", plus_one},
    {"model.layers.*.mlp.gate_proj", "blk.*.ffn_gate"},
    {"model.layers.*.mlp.up_proj", "blk.*.ffn_up"},
    {"model.layers.*.mlp.down_proj", "blk.*.ffn_down"},
};

constexpr TensorRule kPhi2[] = {
    {"model.embed_tokens", "token_embd"},
    {"model.final_layernorm", "output_norm"},
    {"lm_head", "output"},
    {"model.layers.*.input_layernorm", "blk.*.attn_norm"},
    {"model.layers.*.self_attn.q_proj", "blk.*.attn_q"},
    {"model.layers.*.self_attn.k_proj", "blk.*.attn_k"},
    {"model.layers.*.self_attn.v_proj", "blk.*.attn_v"},
    {"model.layers.*.self_attn.dense", "blk.*.attn_output"},
    {"model.layers.*.mlp.fc1", "blk.*.ffn_up"},
    {"model.layers.*.mlp.fc2", "blk.*.ffn_down"},
};

constexpr TensorRule kPhi3[] = {
    {"model.embed_tokens", "token_embd"},
    {"model.norm", "output_norm"},
    {"lm_head", "output"},
    {"model.layers.*.input_layernorm", "blk.*.attn_norm"},
    {"model.layers.*.self_attn.qkv_proj", "blk.*.attn_qkv"},
    {"model.layers.*.self_attn.o_proj", "blk.*.attn_output"},
    {"model.layers.*.post_attention_layernorm", "blk.*.ffn_norm"},
    {"model.layers.*.mlp.gate_up_proj", "blk.*.ffn_up"},
    {"model.layers.*.mlp.down_proj", "blk.*.ffn_down"},
};

constexpr TensorRule kGpt2[] = {
    {"wte", "token_embd"},
    {"wpe", "position_embd"},
    {"ln_f", "output_norm"},
    {"lm_head", "output"},
    {"h.*.ln_1", "blk.*.attn_norm"},
    {"h.*.attn.c_attn", "blk.*.attn_qkv", transpose},
    {"h.*.attn.c_proj", "blk.*.attn_output", transpose},
    {"h.*.attn.bias", "", drop},
    {"h.*.attn.masked_bias", "", drop},
    {"h.*.ln_2", "blk.*.ffn_norm"},
    {"h.*.mlp.c_fc", "blk.*.ffn_up", transpose},
    {"h.*.mlp.c_proj", "blk.*.ffn_down", transpose},
};

constexpr TensorRule kGptNeoX[] = {
    {"gpt_neox.embed_in", "token_embd"},
    {"gpt_neox.final_layer_norm", "output_norm"},
    {"embed_out", "output"},
    {"gpt_neox.layers.*.input_layernorm", "blk.*.attn_norm"},
    {"gpt_neox.layers.*.attention.query_key_value", "blk.*.attn_qkv", neox_qkv},
    {"gpt_neox.layers.*.attention.dense", "blk.*.attn_output"},
    {"gpt_neox.layers.*.attention.bias", "", drop},
    {"gpt_neox.layers.*.attention.masked_bias", "", drop},
    {"gpt_neox.layers.*.attention.rotary_emb.inv_freq", "", drop},
    {"gpt_neox.layers.*.post_attention_layernorm", "blk.*.ffn_norm"},
    {"gpt_neox.layers.*.mlp.dense_h_to_4h", "blk.*.ffn_up"},
    {"gpt_neox.layers.*.mlp.dense_4h_to_h", "blk.*.ffn_down"},
};

constexpr TensorRule kMamba[] = {
    {"backbone.embeddings", "token_embd"},
    {"backbone.norm_f", "output_norm"},
    {"lm_head", "output"},
    {"backbone.layers.*.norm", "blk.*.attn_norm"},
    {"backbone.layers.*.mixer.in_proj", "blk.*.ssm_in"},
    {"backbone.layers.*.mixer.conv1d", "blk.*.ssm_conv1d", squeeze},
    {"backbone.layers.*.mixer.x_proj", "blk.*.ssm_x"},
    {"backbone.layers.*.mixer.dt_proj", "blk.*.ssm_dt"},
    {"backbone.layers.*.mixer.A_log", "blk.*.ssm_a", negated_exp},
    {"backbone.layers.*.mixer.D", "blk.*.ssm_d"},
    {"backbone.layers.*.mixer.out_proj", "blk.*.ssm_out"},
};

void at_most_plain(const JsonField& field, bool plain, std::string_view expected) {
  if (!plain) field.wrong(expected);
}

void number(GgufWriter& out, const std::string& key, const JsonField& field) {
  if (field) out.set(key, static_cast<float>(field.real()));
}
void count(GgufWriter& out, const std::string& key, const JsonField& field) {
  if (field) out.set(key, static_cast<uint32_t>(field.integer()));
}

void mixture_keys(const JsonField& c, const std::string& p, GgufWriter& out) {
  count(out, p + "expert_count", first_of(c, {"num_local_experts", "num_experts"}));
  count(out, p + "expert_used_count", c["num_experts_per_tok"]);
  count(out, p + "expert_feed_forward_length", c["moe_intermediate_size"]);
  count(out, p + "expert_shared_feed_forward_length", c["shared_expert_intermediate_size"]);
}

void qwen_mixture_keys(const JsonField& c, const std::string& p, GgufWriter& out) {
  mixture_keys(c, p, out);
  const JsonField step = c["decoder_sparse_step"];
  at_most_plain(step, step.integer(1) == 1, "1: experts in every block");
  at_most_plain(c["mlp_only_layers"], c["mlp_only_layers"].items().empty(), "no blocks");
}

void llama_keys(const JsonField& c, const std::string& p, GgufWriter& out) {
  mixture_keys(c, p, out);
  count(out, p + "attention.sliding_window", c["sliding_window"]);
}

void gemma2_keys(const JsonField& c, const std::string& p, GgufWriter& out) {
  count(out, p + "attention.sliding_window", c["sliding_window"]);
  number(out, p + "attn_logit_softcapping", c["attn_logit_softcapping"]);
  number(out, p + "final_logit_softcapping", c["final_logit_softcapping"]);
  const JsonField scalar = c["query_pre_attn_scalar"];
  if (scalar && scalar.real() > 0 && scalar.real() != c["head_dim"].real(256)) {
    out.set(p + "attention.scale", static_cast<float>(1 / std::sqrt(scalar.real())));
  }
}

void gemma3_keys(const JsonField& c, const std::string& p, GgufWriter& out) {
  gemma2_keys(c, p, out);
  out.set(p + "rope.freq_base_swa", static_cast<float>(c["rope_local_base_freq"].real(10000)));
  const JsonField pattern = c["sliding_window_pattern"];
  at_most_plain(pattern, pattern.integer(6) == 6, "6: every sixth block attends to everything");
}

void granite_keys(const JsonField& c, const std::string& p, GgufWriter& out) {
  number(out, p + "logit_scale", c["logits_scaling"]);
  number(out, p + "residual_scale", c["residual_multiplier"]);
  number(out, p + "embedding_scale", c["embedding_multiplier"]);
  number(out, p + "attention.scale", c["attention_multiplier"]);
}

void smollm3_keys(const JsonField& c, const std::string&, GgufWriter&) {
  int64_t block = 0;
  for (const JsonField& rotates : c["no_rope_layers"].items()) {
    const bool expected = ++block % 4 != 0;
    at_most_plain(rotates, (rotates.integer() != 0) == expected, expected ? "1" : "0");
  }
  const JsonField interval = c["no_rope_layer_interval"];
  at_most_plain(interval, interval.integer(4) == 4, "4");
}

void exaone4_keys(const JsonField& c, const std::string& p, GgufWriter& out) {
  count(out, p + "attention.sliding_window", c["sliding_window"]);
}

void phi3_keys(const JsonField& c, const std::string& p, GgufWriter& out) {
  count(out, p + "attention.sliding_window", c["sliding_window"]);
}

void parallel_keys(const JsonField& c, const std::string& p, GgufWriter& out) {
  out.set(p + "use_parallel_residual", c["use_parallel_residual"].boolean(p == "gptneox."));
}

void mamba_keys(const JsonField& c, const std::string& p, GgufWriter& out) {
  const int64_t width = first_of(c, {"hidden_size", "d_model"}).integer();
  const int64_t inner = c["intermediate_size"].integer(width * c["expand"].integer(2));
  const auto set = [&](const char* key, int64_t value) {
    out.set(p + key, static_cast<uint32_t>(value));
  };
  set("ssm.conv_kernel", first_of(c, {"conv_kernel", "d_conv"}).integer(4));
  set("ssm.inner_size", inner);
  set("ssm.state_size", first_of(c, {"state_size", "d_state"}).integer(16));
  const JsonField rank = c["time_step_rank"];
  const bool automatic = !rank || rank.is_text();
  set("ssm.time_step_rank", automatic ? (width + 15) / 16 : rank.integer());
}

constexpr Family kFamilies[] = {
    {"llama", "llama", kLlama, llama_keys},
    {"mistral", "llama", kLlama, llama_keys},
    {"mixtral", "llama", kLlama, llama_keys},
    {"granite", "granite", kLlama, granite_keys},
    {"smollm3", "smollm3", kLlama, smollm3_keys},
    {"qwen2", "qwen2", kQwen},
    {"qwen3", "qwen3", kQwen},
    {"qwen2_moe", "qwen2moe", kQwen, qwen_mixture_keys},
    {"qwen3_moe", "qwen3moe", kQwen, qwen_mixture_keys},
    {"olmoe", "olmoe", kQwen, mixture_keys},
    {"stablelm", "stablelm", kQwen, parallel_keys, true},
    {"olmo2", "olmo2", kPostNorm},
    {"exaone4", "exaone4", kPostNorm, exaone4_keys},
    {"gemma", "gemma", kGemma},
    {"gemma2", "gemma2", kGemma2, gemma2_keys},
    {"gemma3_text", "gemma3", kGemma2, gemma3_keys},
    {"phi", "phi2", kPhi2, nullptr, true},
    {"phi3", "phi3", kPhi3, phi3_keys},
    {"gpt2", "gpt2", kGpt2, nullptr, true, false},
    {"gpt_neox", "gptneox", kGptNeoX, parallel_keys, true},
    {"mamba", "mamba", kMamba, mamba_keys, false, false},
};

}  // namespace

std::span<const Family> families() {
  return kFamilies;
}

const Family& find_family(const JsonField& config) {
  const std::string& type = config["model_type"].text();
  std::string known;
  for (const Family& family : kFamilies) {
    if (family.model_type == type) return family;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", family.model_type);
  }
  fail(ErrorKind::model, config.file(), "model_type: expected one of {}, t5, mt5, umt5, got \"{}\"",
       known, type);
}

}  // namespace bantam::hf
