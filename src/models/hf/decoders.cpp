#include <cmath>

#include "base/error.h"
#include "models/hf/tensor_groups.h"

// Transformers without experts and states.

namespace bantam::hf {

namespace {

// Norms of what attention and feed-forward give, not of what they take.
constexpr TensorRule kPostNorms[] = {
    {"post_attention_layernorm", "post_attention_norm"},
    {"post_feedforward_layernorm", "post_ffw_norm"},
};

// Each head of StableLM 2 12B has a norm of its own.
constexpr TensorRule kHeadNorms[] = {
    {"self_attn.q_layernorm.norms.*", "attn_q_norm", &stack},
    {"self_attn.k_layernorm.norms.*", "attn_k_norm", &stack},
};

constexpr TensorRule kGemmaStem[] = {
    {"model.norm", "output_norm", &plus_one}, {"lm_head", "", &drop},  // always the embedding table
};
constexpr TensorRule kGemmaNorms[] = {
    {"input_layernorm", "attn_norm", &plus_one},
    {"post_attention_layernorm", "ffn_norm", &plus_one},
};
constexpr TensorRule kGemma2Norms[] = {
    {"input_layernorm", "attn_norm", &plus_one},
    {"self_attn.q_norm", "attn_q_norm", &plus_one},
    {"self_attn.k_norm", "attn_k_norm", &plus_one},
    {"post_attention_layernorm", "post_attention_norm", &plus_one},
    {"pre_feedforward_layernorm", "ffn_norm", &plus_one},
    {"post_feedforward_layernorm", "post_ffw_norm", &plus_one},
};

constexpr TensorRule kPhi2Stem[] = {
    {"model.final_layernorm", "output_norm"},
};
constexpr TensorRule kPhi2[] = {
    {"self_attn.dense", "attn_output"},
    {"mlp.fc1", "ffn_up"},
    {"mlp.fc2", "ffn_down"},
};

constexpr TensorRule kPhi3[] = {
    {"self_attn.qkv_proj", "attn_qkv"},
    {"mlp.gate_up_proj", "ffn_up"},
};

constexpr TensorRule kGpt2Stem[] = {
    {"wte", "token_embd"},
    {"wpe", "position_embd"},
    {"ln_f", "output_norm"},
    {"lm_head", "output"},
};
constexpr TensorRule kGpt2[] = {
    {"ln_1", "attn_norm"},
    {"attn.c_attn", "attn_qkv", &transpose},
    {"attn.c_proj", "attn_output", &transpose},
    {"attn.bias", "", &drop},
    {"attn.masked_bias", "", &drop},
    {"ln_2", "ffn_norm"},
    {"mlp.c_fc", "ffn_up", &transpose},
    {"mlp.c_proj", "ffn_down", &transpose},
};

constexpr TensorRule kGptNeoXStem[] = {
    {"gpt_neox.embed_in", "token_embd"},
    {"gpt_neox.final_layer_norm", "output_norm"},
    {"embed_out", "output"},
};
constexpr TensorRule kGptNeoX[] = {
    {"attention.query_key_value", "attn_qkv", &neox_qkv},
    {"attention.dense", "attn_output"},
    {"attention.bias", "", &drop},
    {"attention.masked_bias", "", &drop},
    {"attention.rotary_emb.inv_freq", "", &drop},
    {"mlp.dense_h_to_4h", "ffn_up"},
    {"mlp.dense_4h_to_h", "ffn_down"},
};

constexpr TensorRule kOpenElmStem[] = {
    {"token_embeddings", "token_embd"},
    {"norm", "output_norm"},
    {"lm_head", "output"},
};
constexpr TensorRule kOpenElm[] = {
    {"attn_norm", "attn_norm"},
    {"attn.qkv_proj", "attn_qkv"},
    {"attn.q_norm", "attn_q_norm"},
    {"attn.k_norm", "attn_k_norm"},
    {"attn.out_proj", "attn_output"},
    {"ffn_norm", "ffn_norm"},
    {"ffn.proj_1", "ffn_gate ffn_up", &halves},
    {"ffn.proj_2", "ffn_down"},
};

constexpr KeyRule kGemma2Keys[] = {
    {"attn_logit_softcapping", "attn_logit_softcapping", KeyRule::number},
    {"final_logit_softcapping", "final_logit_softcapping", KeyRule::number},
};

void gemma2_keys(const KeyWriter& k) {
  const JsonField scalar = k.config["query_pre_attn_scalar"];
  if (scalar && scalar.real() > 0 && scalar.real() != k.config["head_dim"].real(256)) {
    k.number("attention.scale", 1 / std::sqrt(scalar.real()));
  }
}

void gemma3_keys(const KeyWriter& k) {
  gemma2_keys(k);
  k.number("rope.freq_base_swa", k.config["rope_local_base_freq"].real(10000));
  const JsonField pattern = k.config["sliding_window_pattern"];
  expect(pattern.integer(6) == 6, pattern, "6: every sixth block attends to everything");
}

void smollm3_keys(const KeyWriter& k) {
  int64_t block = 0;
  for (const JsonField& rotates : k.config["no_rope_layers"].items()) {
    const bool expected = ++block % 4 != 0;
    expect((rotates.integer() != 0) == expected, rotates, expected ? "1" : "0");
  }
  const JsonField interval = k.config["no_rope_layer_interval"];
  expect(interval.integer(4) == 4, interval, "4");
}

void stablelm_keys(const KeyWriter& k) {
  k.flag("use_parallel_residual", k.config["use_parallel_residual"].boolean(false));
}

void gptneox_keys(const KeyWriter& k) {
  k.flag("use_parallel_residual", k.config["use_parallel_residual"].boolean(true));
}

std::vector<int64_t> integers(const JsonField& list) {
  std::vector<int64_t> values;
  for (const JsonField& item : list.items()) values.push_back(item.integer());
  return values;
}

// Rounded to a multiple of the divisor, but not down by more than a tenth.
int64_t divisible(double value, int64_t divisor) {
  const auto near = static_cast<int64_t>(value + static_cast<double>(divisor) / 2) / divisor;
  const int64_t rounded = std::max(near, int64_t{1}) * divisor;
  return static_cast<double>(rounded) < 0.9 * value ? rounded + divisor : rounded;
}

void openelm_keys(const KeyWriter& k) {
  const int64_t divisor = k.config["ffn_dim_divisor"].integer(256);
  expect(divisor > 0, k.config["ffn_dim_divisor"], "a positive number");
  std::vector<int64_t> inner;
  for (const JsonField& factor : k.config["ffn_multipliers"].items()) {
    inner.push_back(divisible(factor.real() * static_cast<double>(k.d.embedding), divisor));
  }
  k.per_block("feed_forward_length", inner);
  k.per_block("attention.head_count", integers(k.config["num_query_heads"]));
  k.per_block("attention.head_count_kv", integers(k.config["num_kv_heads"]));
  k.number("attention.layer_norm_rms_epsilon", 1e-6);
  k.number("rope.freq_base", k.config["rope_freq_constant"].real(10000));
}

using Tensors = Groups<TensorGroup>;

constexpr Tensors kLlama = {{"", kStem},
                            {kLayers, kPairs},
                            {kLayers, kAttention},
                            {kLayers, kNorms},
                            {kLayers, kFeedForward}};
constexpr Tensors kQwen = {
    {"", kStem}, {kLayers, kAttention}, {kLayers, kNorms}, {kLayers, kFeedForward}};
constexpr Tensors kPostNormed = {
    {"", kStem}, {kLayers, kPostNorms}, {kLayers, kAttention}, {kLayers, kFeedForward}};
constexpr Tensors kStableLm = {{"", kStem},
                               {kLayers, kHeadNorms},
                               {kLayers, kAttention},
                               {kLayers, kNorms},
                               {kLayers, kFeedForward}};
constexpr Tensors kGemma = {{"", kGemmaStem},
                            {"", kStem},
                            {kLayers, kGemmaNorms},
                            {kLayers, kAttention},
                            {kLayers, kFeedForward}};
constexpr Tensors kGemma2 = {{"", kGemmaStem},
                             {"", kStem},
                             {kLayers, kGemma2Norms},
                             {kLayers, kAttention},
                             {kLayers, kFeedForward}};
constexpr Tensors kPhi = {
    {"", kPhi2Stem}, {"", kStem}, {kLayers, kPhi2}, {kLayers, kAttention}, {kLayers, kNorms}};
constexpr Tensors kPhi3Mini = {{"", kStem},
                               {kLayers, kPhi3},
                               {kLayers, kAttention},
                               {kLayers, kNorms},
                               {kLayers, kFeedForward}};
constexpr Tensors kNeoX = {
    {"", kGptNeoXStem}, {"gpt_neox.layers.*.", kGptNeoX}, {"gpt_neox.layers.*.", kNorms}};

// GELU by tanh. Gemma's configurations say "gelu" and mean it, too.
constexpr std::string_view kTanhGelu = " gelu_new gelu_pytorch_tanh gelu_fast ";
constexpr std::string_view kGemmaGelu = " gelu gelu_new gelu_pytorch_tanh ";

constexpr Family kFamilies[] = {
    {"llama", "llama", kLlama, {kWindowKeys}},
    {"mistral", "llama", kLlama, {kWindowKeys}},
    {"granite", "granite", kLlama, {kGraniteKeys}},
    {"smollm3", "smollm3", kLlama, {}, smollm3_keys},
    {"qwen2", "qwen2", kQwen},
    {"qwen3", "qwen3", kQwen},
    {"olmo2", "olmo2", kPostNormed},
    {"exaone4", "exaone4", kPostNormed, {kWindowKeys}},
    {.model_type = "stablelm",
     .gguf = "stablelm",
     .tensors = kStableLm,
     .more = stablelm_keys,
     .layer_norm = true},
    {.model_type = "gemma", .gguf = "gemma", .tensors = kGemma, .activations = kGemmaGelu},
    {.model_type = "gemma2",
     .gguf = "gemma2",
     .tensors = kGemma2,
     .keys = {kWindowKeys, kGemma2Keys},
     .more = gemma2_keys,
     .activations = kGemmaGelu},
    {.model_type = "gemma3_text",
     .gguf = "gemma3",
     .tensors = kGemma2,
     .keys = {kWindowKeys, kGemma2Keys},
     .more = gemma3_keys,
     .activations = kGemmaGelu},
    {.model_type = "phi",
     .gguf = "phi2",
     .tensors = kPhi,
     .layer_norm = true,
     .activations = kTanhGelu},
    {"phi3", "phi3", kPhi3Mini, {kWindowKeys}},
    {"openelm", "openelm", {{"", kOpenElmStem}, {"layers.*.", kOpenElm}}, {}, openelm_keys},
    {.model_type = "gpt2",
     .gguf = "gpt2",
     .tensors = {{"", kGpt2Stem}, {"h.*.", kGpt2}},
     .layer_norm = true,
     .rotary = false,
     .activations = kTanhGelu},
    {.model_type = "gpt_neox",
     .gguf = "gptneox",
     .tensors = kNeoX,
     .more = gptneox_keys,
     .layer_norm = true,
     .activations = " gelu "},
};

}  // namespace

std::span<const Family> decoder_families() {
  return kFamilies;
}

}  // namespace bantam::hf
