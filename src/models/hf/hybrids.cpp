#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "models/hf/tensor_groups.h"

// State spaces and short convolutions, alone or between blocks of attention.

namespace bantam::hf {

namespace {

constexpr TensorRule kBackboneStem[] = {
    {"backbone.embeddings", "token_embd"},
    {"backbone.norm_f", "output_norm"},
    {"lm_head", "output"},
};
constexpr std::string_view kBackbone = "backbone.layers.*.";
constexpr TensorRule kBackboneNorm[] = {{"norm", "attn_norm"}};

// Of both generations, by the name of the mixer.
constexpr TensorRule kMixer[] = {
    {"in_proj", "ssm_in"},
    {"conv1d", "ssm_conv1d", &squeeze},
    {"out_proj", "ssm_out"},
};
constexpr TensorRule kMamba[] = {
    {"x_proj", "ssm_x"},
    {"dt_proj", "ssm_dt"},
    {"A_log", "ssm_a", &negated_exp},
    {"D", "ssm_d"},
};
constexpr TensorRule kMamba2[] = {
    {"dt_bias", "ssm_dt.bias"},
    {"A_log", "ssm_a", &negated_exp_column},
    {"D", "ssm_d", &column},
    {"norm", "ssm_norm", &scan_groups},
};
constexpr std::string_view kMixers = "backbone.layers.*.mixer.", kInner = "model.layers.*.mamba.";

constexpr TensorRule kFinalNorm[] = {{"model.final_layernorm", "output_norm"}};

constexpr TensorRule kJamba[] = {
    {"pre_ff_layernorm", "ffn_norm"},
    {"mamba.dt_layernorm", "ssm_dt_norm"},
    {"mamba.b_layernorm", "ssm_b_norm"},
    {"mamba.c_layernorm", "ssm_c_norm"},
    {"feed_forward.router", "ffn_gate_inp"},
    {"feed_forward.experts.*.gate_proj", "ffn_gate_exps", &stack},
    {"feed_forward.experts.*.up_proj", "ffn_up_exps", &stack},
    {"feed_forward.experts.*.down_proj", "ffn_down_exps", &stack},
};
constexpr TensorRule kInnerFeedForward[] = {
    {"feed_forward.gate_proj", "ffn_gate"},
    {"feed_forward.up_proj", "ffn_up"},
    {"feed_forward.down_proj", "ffn_down"},
};

// Other runtimes know the norm without ".weight" only.
constexpr TensorRule kFalconH1[] = {{"pre_ff_layernorm.weight", "ffn_norm"}};

constexpr TensorRule kLfm2Stem[] = {{"model.embedding_norm", "token_embd_norm"}};
constexpr TensorRule kLfm2[] = {
    {"operator_norm", "attn_norm"},
    {"ffn_norm", "ffn_norm"},
    {"self_attn.out_proj", "attn_output"},
    {"self_attn.q_layernorm", "attn_q_norm"},
    {"self_attn.k_layernorm", "attn_k_norm"},
    {"conv.conv", "shortconv.conv", &squeeze},
    {"conv.in_proj", "shortconv.in_proj"},
    {"conv.out_proj", "shortconv.out_proj"},
    {"feed_forward.w1", "ffn_gate"},
    {"feed_forward.w2", "ffn_down"},
    {"feed_forward.w3", "ffn_up"},
};

constexpr TensorRule kLfm2Experts[] = {
    {"feed_forward.gate", "ffn_gate_inp"},
    {"feed_forward.expert_bias", "exp_probs_b.bias"},
    {"feed_forward.experts.*.w1", "ffn_gate_exps", &stack},
    {"feed_forward.experts.*.w2", "ffn_down_exps", &stack},
    {"feed_forward.experts.*.w3", "ffn_up_exps", &stack},
};

constexpr TensorRule kGraniteDense[] = {
    {"shared_mlp.input_linear", "ffn_gate ffn_up", &halves},
    {"shared_mlp.output_linear", "ffn_down"},
};

constexpr KeyRule kScanKeys[] = {
    {"conv_kernel", "ssm.conv_kernel"}, {"mamba_d_conv", "ssm.conv_kernel"},
    {"state_size", "ssm.state_size"},   {"mamba_d_state", "ssm.state_size"},
    {"n_groups", "ssm.group_count"},    {"mamba_n_groups", "ssm.group_count"},
};
constexpr KeyRule kLfm2Keys[] = {
    {"conv_L_cache", "shortconv.l_cache"},
    {"norm_eps", "attention.layer_norm_rms_epsilon", KeyRule::number},
};
constexpr KeyRule kLfm2MixtureKeys[] = {
    {"num_dense_layers", "leading_dense_block_count"},
    {"routed_scaling_factor", "expert_weights_scale", KeyRule::number},
};
int64_t inner_size(const KeyWriter& k) {
  const int64_t expand = first_of(k.config, {"expand", "mamba_expand"}).integer(2);
  return k.config["mamba_d_ssm"].integer(expand * k.d.embedding);
}

// Mamba's first generation: the rank of the step size is a number or "auto".
void scan_sizes(const KeyWriter& k, int64_t inner) {
  k.count("ssm.inner_size", inner);
  const JsonField rank = first_of(k.config, {"time_step_rank", "mamba_dt_rank"});
  const bool automatic = !rank || rank.is_text();
  k.count("ssm.time_step_rank", automatic ? (k.d.embedding + 15) / 16 : rank.integer());
}

void mamba_keys(const KeyWriter& k) {
  scan_sizes(k, k.config["intermediate_size"].integer(inner_size(k)));
}

void falcon_mamba_keys(const KeyWriter& k) {
  mamba_keys(k);
  k.flag("ssm.dt_b_c_rms", true);
}

void heads_of_scan(const KeyWriter& k) {
  const int64_t inner = inner_size(k);
  const JsonField size = first_of(k.config, {"mamba_d_head", "head_dim"});
  const bool automatic = !size || size.is_text();
  const int64_t heads = first_of(k.config, {"mamba_n_heads", "num_heads"})
                            .integer(automatic ? 1 : inner / std::max<int64_t>(size.integer(), 1));
  expect(heads > 0 && inner % heads == 0, size, fmt::format("a part of the {} channels", inner));
  k.count("ssm.inner_size", inner);
  k.count("ssm.time_step_rank", heads);
}

// Blocks without attention have no heads for keys.
template <typename Attends>
void hybrid_heads(const KeyWriter& k, Attends attends) {
  std::vector<int64_t> heads;
  for (int64_t i = 0; i < k.d.blocks; ++i) heads.push_back(attends(i) ? k.d.kv_heads : 0);
  k.per_block("attention.head_count_kv", heads);
}

// "layer_types" tells the blocks with attention by name.
void typed_heads(const KeyWriter& k, std::string_view attention) {
  const std::vector<JsonField> types = k.config["layer_types"].items();
  expect(static_cast<int64_t>(types.size()) == k.d.blocks, k.config["layer_types"],
         fmt::format("{} kinds, one for each block", k.d.blocks));
  hybrid_heads(k, [&](int64_t i) { return types[static_cast<size_t>(i)].text() == attention; });
}

void jamba_keys(const KeyWriter& k) {
  const int64_t period = k.config["attn_layer_period"].integer();
  const int64_t offset = k.config["attn_layer_offset"].integer();
  expect(period > 0, k.config["attn_layer_period"], "a positive number");
  hybrid_heads(k, [=](int64_t i) { return i % period == offset; });
  scan_sizes(k, inner_size(k));
}

void lfm2_keys(const KeyWriter& k) {
  int64_t inner = first_of(k.config, {"block_ff_dim", "intermediate_size"}).integer();
  if (k.config["block_auto_adjust_ff_dim"].boolean(false)) {
    const double factor = k.config["block_ffn_dim_multiplier"].real(1);
    const int64_t two_thirds = 2 * inner / 3;
    inner = static_cast<int64_t>(factor * static_cast<double>(two_thirds));
    const int64_t multiple = std::max<int64_t>(k.config["block_multiple_of"].integer(256), 1);
    inner = (inner + multiple - 1) / multiple * multiple;
  }
  k.count("feed_forward_length", inner);
  if (k.config["layer_types"]) return typed_heads(k, "full_attention");
  const std::vector<JsonField> indices = k.config["full_attn_idxs"].items();
  hybrid_heads(k, [&](int64_t i) {
    return std::ranges::any_of(indices, [i](const JsonField& f) { return f.integer() == i; });
  });
}

void lfm2_mixture_keys(const KeyWriter& k) {
  k.count("expert_gating_func", 2);
  const JsonField norm = k.config["norm_topk_prob"];
  expect(norm.boolean(true), norm, "true");
  typed_heads(k, "full_attention");
}

void granite_keys(const KeyWriter& k) {
  heads_of_scan(k);
  typed_heads(k, "attention");
  const bool rotary = k.config["position_embedding_type"].text("nope") == "rope";
  if (!rotary) k.flag("rope.scaling.finetuned", false);
}

bool has_experts(const JsonField& config) {
  return config["num_local_experts"].integer(0) > 0;
}

void granite_expert_keys(const KeyWriter& k) {
  granite_keys(k);
  k.count("expert_feed_forward_length", k.config["intermediate_size"].integer());
}

void granite_dense_keys(const KeyWriter& k) {
  granite_keys(k);
  k.count("feed_forward_length", k.config["shared_intermediate_size"].integer());
}

// Falcon-H1's multipliers become part of the weights that they stand before or behind.
std::vector<RowScale> falcon_h1_scales(const JsonField& c, std::string_view gguf) {
  constexpr int64_t kAll = INT64_MAX;
  const auto one = [&](std::string_view name) { return c[name].real(1); };
  const auto of_list = [&](std::string_view name, size_t i) {
    const std::vector<JsonField> items = c[name].items();
    return i < items.size() ? items[i].real() : 1.0;
  };
  const auto is = [&](std::string_view part) { return gguf.ends_with(part); };
  if (gguf == "token_embd.weight") return {{kAll, one("embedding_multiplier")}};
  if (gguf == "output.weight") return {{kAll, one("lm_head_multiplier")}};
  if (is("attn_q.weight") || is("attn_v.weight")) return {{kAll, one("attention_in_multiplier")}};
  if (is("attn_k.weight")) return {{kAll, one("attention_in_multiplier") * one("key_multiplier")}};
  if (is("attn_output.weight")) return {{kAll, one("attention_out_multiplier")}};
  if (is("ssm_out.weight")) return {{kAll, one("ssm_out_multiplier")}};
  if (is("ffn_gate.weight")) return {{kAll, of_list("mlp_multipliers", 0)}};
  if (is("ffn_down.weight")) return {{kAll, of_list("mlp_multipliers", 1)}};
  if (!is("ssm_in.weight")) return {};
  // Rows of the gate, the input, B, C and the step size.
  const int64_t inner = c["mamba_d_ssm"].integer();
  const int64_t shared = c["mamba_n_groups"].integer(1) * c["mamba_d_state"].integer();
  const int64_t sizes[] = {inner, inner, shared, shared, c["mamba_n_heads"].integer()};
  std::vector<RowScale> scales;
  int64_t end = 0;
  for (size_t i = 0; i < std::size(sizes); ++i) {
    end += sizes[i];
    scales.push_back({end, one("ssm_in_multiplier") * of_list("ssm_multipliers", i)});
  }
  return scales;
}

using Tensors = Groups<TensorGroup>;

constexpr Tensors kMambaTensors = {
    {"", kBackboneStem}, {kBackbone, kBackboneNorm}, {kMixers, kMixer}, {kMixers, kMamba}};
constexpr Tensors kMamba2Tensors = {
    {"", kBackboneStem}, {kBackbone, kBackboneNorm}, {kMixers, kMixer}, {kMixers, kMamba2}};
constexpr Tensors kJambaTensors = {
    {"", kFinalNorm},      {"", kStem},       {kLayers, kJamba}, {kLayers, kInnerFeedForward},
    {kLayers, kAttention}, {kLayers, kNorms}, {kInner, kMixer},  {kInner, kMamba}};
constexpr Tensors kFalconTensors = {
    {"", kFinalNorm},      {"", kStem},       {kLayers, kFalconH1}, {kLayers, kInnerFeedForward},
    {kLayers, kAttention}, {kLayers, kNorms}, {kInner, kMixer},     {kInner, kMamba2}};
constexpr Tensors kLfm2Tensors = {
    {"", kLfm2Stem}, {"", kStem}, {kLayers, kLfm2}, {kLayers, kAttention}};
constexpr Tensors kLfm2MixtureTensors = {
    {"", kLfm2Stem}, {"", kStem}, {kLayers, kLfm2}, {kLayers, kLfm2Experts}, {kLayers, kAttention}};
constexpr Tensors kGraniteTensors = {
    {"", kStem},      {kLayers, kPairs}, {kLayers, kAttention},     {kLayers, kNorms},
    {kInner, kMixer}, {kInner, kMamba2}, {kLayers, kGraniteExperts}};
constexpr Tensors kGraniteDenseTensors = {
    {"", kStem},      {kLayers, kPairs}, {kLayers, kAttention},   {kLayers, kNorms},
    {kInner, kMixer}, {kInner, kMamba2}, {kLayers, kGraniteDense}};

constexpr Family kFamilies[] = {
    {.model_type = "mamba",
     .gguf = "mamba",
     .tensors = kMambaTensors,
     .keys = {kScanKeys},
     .more = mamba_keys,
     .rotary = false},
    {.model_type = "falcon_mamba",
     .gguf = "mamba",
     .tensors = kMambaTensors,
     .keys = {kScanKeys},
     .more = falcon_mamba_keys,
     .rotary = false},
    {.model_type = "mamba2",
     .gguf = "mamba2",
     .tensors = kMamba2Tensors,
     .keys = {kScanKeys},
     .more = heads_of_scan,
     .rotary = false},
    {.model_type = "jamba",
     .gguf = "jamba",
     .tensors = kJambaTensors,
     .keys = {kMixtureKeys, kScanKeys},
     .more = jamba_keys,
     .rotary = false},
    {"falcon_h1", "falcon-h1", kFalconTensors, {kScanKeys}, heads_of_scan, falcon_h1_scales},
    {"lfm2", "lfm2", kLfm2Tensors, {kLfm2Keys}, lfm2_keys},
    {"lfm2_moe",
     "lfm2moe",
     kLfm2MixtureTensors,
     {kMixtureKeys, kLfm2MixtureKeys, kLfm2Keys},
     lfm2_mixture_keys},
    {.model_type = "granitemoehybrid",
     .gguf = "granitehybrid",
     .tensors = kGraniteTensors,
     .keys = {kMixtureKeys, kGraniteSharedKeys, kGraniteKeys, kScanKeys},
     .more = granite_expert_keys,
     .fits = has_experts},
    {"granitemoehybrid",
     "granitehybrid",
     kGraniteDenseTensors,
     {kGraniteKeys, kScanKeys},
     granite_dense_keys},
};

}  // namespace

std::span<const Family> hybrid_families() {
  return kFamilies;
}

}  // namespace bantam::hf
