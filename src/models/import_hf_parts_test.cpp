// Folders of families with states and experts, whose tensors GGUF takes apart, joins or
// turns; see import_hf_test.cpp for the plain ones.

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "models/hf_folder_inverse.h"
#include "models/hf_folder_kit.h"
#include "models/model.h"
#include "tensor/blocks.h"

namespace bantam {
namespace {

namespace fs = std::filesystem;
using namespace test;

void scan_config(const GgufFile& file, Json& c) {
  const std::string p = file.text("general.architecture") + ".ssm.";
  c["mamba_d_conv"] = file.integer(p + "conv_kernel");
  c["mamba_d_state"] = file.integer(p + "state_size");
  c["mamba_expand"] = file.integer(p + "inner_size") / c["hidden_size"].get<int64_t>();
  c["mamba_n_groups"] = file.integer(p + "group_count", 1);
}

void mamba_config(const GgufFile& file, Json& c) {
  const std::string p = file.text("general.architecture") + ".ssm.";
  c["conv_kernel"] = file.integer(p + "conv_kernel");
  c["state_size"] = file.integer(p + "state_size");
  c["expand"] = 2;
  c["time_step_rank"] = file.integer(p + "time_step_rank");
  c["layer_norm_epsilon"] = c["rms_norm_eps"];
  c.erase("rms_norm_eps");
}

void mamba2_config(const GgufFile& file, Json& c) {
  mamba_config(file, c);
  c.erase("time_step_rank");
  c["n_groups"] = file.integer("mamba2.ssm.group_count", 1);
  c["num_heads"] = file.integer("mamba2.ssm.time_step_rank");
  c["head_dim"] = file.integer("mamba2.ssm.inner_size") / c["num_heads"].get<int64_t>();
}

const Names kBackbone = {{"token_embd", "backbone.embeddings"},
                         {"output_norm", "backbone.norm_f"},
                         {"output", "lm_head"},
                         {"attn_norm", "norm"}};

// Names of a state space's parts behind "mixer." or "mamba.".
Names with_mixer(Names names, const std::string& prefix, bool second) {
  for (const auto& [gguf, hf] : Names{{"ssm_in", "in_proj"},
                                      {"ssm_conv1d", "conv1d"},
                                      {"ssm_x", "x_proj"},
                                      {"ssm_dt", "dt_proj"},
                                      {"ssm_a", "A_log"},
                                      {"ssm_d", "D"},
                                      {"ssm_norm", "norm"},
                                      {"ssm_dt_norm", "dt_layernorm"},
                                      {"ssm_b_norm", "b_layernorm"},
                                      {"ssm_c_norm", "c_layernorm"},
                                      {"ssm_out", "out_proj"}}) {
    names[gguf] = prefix + hf;
  }
  if (second) names["ssm_dt.bias"] = prefix + "dt_bias";
  return names;
}

const std::map<std::string, std::function<Tensor(const Tensor&)>> kFirst = {
    {"ssm_conv1d.weight", with_channel}, {"ssm_a", logarithm}};
const std::map<std::string, std::function<Tensor(const Tensor&)>> kSecond = {
    {"ssm_conv1d.weight", with_channel},
    {"ssm_a", flat_logarithm},
    {"ssm_d", flat},
    {"ssm_norm.weight", flat}};

const Names kInnerFeedForward = {{"output_norm", "model.final_layernorm"},
                                 {"ffn_norm", "pre_ff_layernorm"},
                                 {"ffn_gate", "feed_forward.gate_proj"},
                                 {"ffn_up", "feed_forward.up_proj"},
                                 {"ffn_down", "feed_forward.down_proj"}};

FolderCase jamba() {
  Names names = common_but(kInnerFeedForward);
  names["ffn_gate_inp"] = "feed_forward.router";
  names["ffn_gate_exps"] = "feed_forward.experts.*.gate_proj";
  names["ffn_up_exps"] = "feed_forward.experts.*.up_proj";
  names["ffn_down_exps"] = "feed_forward.experts.*.down_proj";
  return {.fixture = "jamba",
          .model_type = "jamba",
          .names = with_mixer(names, "mamba.", false),
          .inverse = kFirst,
          .config =
              [](const GgufFile& file, Json& c) {
                scan_config(file, c);
                c["mamba_dt_rank"] = "auto";
                c["num_key_value_heads"] = 2;
                c["attn_layer_period"] = 2;
                c["attn_layer_offset"] = 1;
              },
          .tolerance = 1e-5F};
}

FolderCase lfm2() {
  return {.fixture = "lfm2",
          .model_type = "lfm2",
          .names = common_but({{"token_embd_norm", "model.embedding_norm"},
                               {"attn_norm", "operator_norm"},
                               {"ffn_norm", "ffn_norm"},
                               {"attn_output", "self_attn.out_proj"},
                               {"attn_q_norm", "self_attn.q_layernorm"},
                               {"attn_k_norm", "self_attn.k_layernorm"},
                               {"shortconv.conv", "conv.conv"},
                               {"shortconv.in_proj", "conv.in_proj"},
                               {"shortconv.out_proj", "conv.out_proj"},
                               {"ffn_gate", "feed_forward.w1"},
                               {"ffn_down", "feed_forward.w2"},
                               {"ffn_up", "feed_forward.w3"}}),
          .inverse = {{"shortconv.conv.weight", with_channel}},
          .config = [](const GgufFile&, Json& c) {
            c["norm_eps"] = c["rms_norm_eps"];
            c.erase("rms_norm_eps");
            c.erase("intermediate_size");
            c["block_ff_dim"] = 120;  // two thirds of it, rounded up: 96
            c["block_auto_adjust_ff_dim"] = true;
            c["block_ffn_dim_multiplier"] = 1.0;
            c["block_multiple_of"] = 32;
            c["conv_L_cache"] = 3;
            c["num_key_value_heads"] = 2;
            c["layer_types"] = {"conv", "conv", "full_attention", "conv"};
          }};
}

// Multipliers that are powers of two keep the weights exact.
FolderCase falcon_h1() {
  Names names = with_mixer(common_but(kInnerFeedForward), "mamba.", true);
  names["ffn_norm"] = "pre_ff_layernorm.weight";
  FolderCase c{.fixture = "falcon-h1",
               .model_type = "falcon_h1",
               .names = names,
               .inverse = kSecond,
               .tolerance = 1e-5F};
  const auto divided = [](float by) { return [by](const Tensor& t) { return times(t, 1 / by); }; };
  c.inverse["token_embd.weight"] = divided(4);
  c.inverse["output.weight"] = divided(0.25F);
  c.inverse["attn_q.weight"] = divided(2);
  c.inverse["attn_v.weight"] = divided(2);
  c.inverse["attn_k.weight"] = divided(2 * 0.5F);
  c.inverse["attn_output.weight"] = divided(0.125F);
  c.inverse["ssm_out.weight"] = divided(8);
  c.inverse["ffn_gate.weight"] = divided(16);
  c.inverse["ffn_down.weight"] = divided(32);
  c.inverse["ssm_in.weight"] = [](const Tensor& t) {
    Tensor out = t.clone();
    for (int64_t row = 0; row < t.shape()[0]; ++row) {
      // 128 rows of z, 128 of x, 16 of B, 16 of C, 8 of dt
      const float m = row < 128 ? 2 : row < 256 ? 4 : row < 272 ? 8 : row < 288 ? 16 : 32;
      for (int64_t i = 0; i < t.shape()[1]; ++i)
        out.as<float>()[row * t.shape()[1] + i] /= 0.5F * m;
    }
    return out;
  };
  c.config = [](const GgufFile& file, Json& j) {
    scan_config(file, j);
    j.erase("mamba_expand");
    j["mamba_d_ssm"] = 128;
    j["mamba_n_heads"] = 8;
    j["mamba_d_head"] = 16;
    j["embedding_multiplier"] = 4;
    j["lm_head_multiplier"] = 0.25;
    j["attention_in_multiplier"] = 2;
    j["key_multiplier"] = 0.5;
    j["attention_out_multiplier"] = 0.125;
    j["ssm_out_multiplier"] = 8;
    j["ssm_in_multiplier"] = 0.5;
    j["mlp_multipliers"] = {16, 32};
    j["ssm_multipliers"] = {2, 4, 8, 16, 32};
  };
  return c;
}

void granite_config(const GgufFile& file, Json& c) {
  scan_config(file, c);
  c["mamba_n_heads"] = file.integer("granitehybrid.ssm.time_step_rank");
  c["num_key_value_heads"] = 2;
  c["layer_types"] = {"mamba", "attention", "mamba", "attention"};
  c["position_embedding_type"] = "rope";
}

FolderCase granite_hybrid() {
  return {
      .fixture = "granitehybrid",
      .model_type = "granitemoehybrid",
      .names = with_mixer(common_but({{"ffn_down", "shared_mlp.output_linear"}}), "mamba.", true),
      .pairs = true,
      .inverse = kSecond,
      .joins = {{"ffn_gate.weight", "ffn_up.weight", "shared_mlp.input_linear.weight", halves}},
      .config =
          [](const GgufFile& file, Json& c) {
            granite_config(file, c);
            c["num_local_experts"] = 0;
            c["shared_intermediate_size"] = c["intermediate_size"];
            c["intermediate_size"] = 7;
          },
      .tolerance = 1e-5F};
}

FolderCase gpt_oss() {
  return {.fixture = "gpt-oss",
          .model_type = "gpt_oss",
          .names = common_but({{"post_attention_norm", "post_attention_layernorm"},
                               {"attn_sinks.weight", "self_attn.sinks"},
                               {"ffn_gate_inp", "mlp.router"},
                               {"ffn_down_exps.weight", "mlp.experts.down_proj"},
                               {"ffn_down_exps.bias", "mlp.experts.down_proj_bias"}}),
          .inverse = {{"ffn_down_exps.weight", transposed_each}},
          .joins = {{"ffn_gate_exps.weight", "ffn_up_exps.weight", "mlp.experts.gate_up_proj",
                     matrices_by_turns},
                    {"ffn_gate_exps.bias", "ffn_up_exps.bias", "mlp.experts.gate_up_proj_bias",
                     vectors_by_turns}},
          .config =
              [](const GgufFile&, Json& c) {
                c["intermediate_size"] = c["moe_intermediate_size"];
                c.erase("moe_intermediate_size");
                c["layer_types"] = {"sliding_attention", "full_attention", "sliding_attention",
                                    "full_attention"};
              },
          .differs = {"feed_forward_length"},  // the dense one, which the model does not have
          .same_config = false};
}

FolderCase deepseek() {
  return {.fixture = "deepseek2-mla",
          .model_type = "deepseek_v2",
          .names = common_but({{"attn_q_a", "self_attn.q_a_proj"},
                               {"attn_q_a_norm", "self_attn.q_a_layernorm"},
                               {"attn_q_b", "self_attn.q_b_proj"},
                               {"attn_kv_a_mqa", "self_attn.kv_a_proj_with_mqa"},
                               {"attn_kv_a_norm", "self_attn.kv_a_layernorm"},
                               {"ffn_gate_inp", "mlp.gate"},
                               {"ffn_gate_exps", "mlp.experts.*.gate_proj"},
                               {"ffn_up_exps", "mlp.experts.*.up_proj"},
                               {"ffn_down_exps", "mlp.experts.*.down_proj"},
                               {"ffn_gate_shexp", "mlp.shared_experts.gate_proj"},
                               {"ffn_up_shexp", "mlp.shared_experts.up_proj"},
                               {"ffn_down_shexp", "mlp.shared_experts.down_proj"}}),
          .joins = {{"attn_k_b.weight", "attn_v_b.weight", "self_attn.kv_b_proj.weight",
                     joined_latent}},
          .config = [](const GgufFile& file, Json& c) {
            c["n_routed_experts"] = c["num_experts"];
            c.erase("num_experts");
            c.erase("head_dim");
            c.erase("partial_rotary_factor");
            c["num_key_value_heads"] = c["num_attention_heads"];
            c["q_lora_rank"] = file.integer("deepseek2.attention.q_lora_rank");
            c["kv_lora_rank"] = file.integer("deepseek2.attention.kv_lora_rank");
            c["qk_rope_head_dim"] = file.integer("deepseek2.rope.dimension_count");
            c["qk_nope_head_dim"] = file.integer("deepseek2.attention.key_length_mla") -
                                    c["qk_rope_head_dim"].get<int64_t>();
            c["v_head_dim"] = file.integer("deepseek2.attention.value_length_mla");
            c["first_k_dense_replace"] = 1;
            c["n_shared_experts"] = 1;
            c["routed_scaling_factor"] = 1.0;
            c["norm_topk_prob"] = false;
          }};
}

std::vector<FolderCase> cases() {
  return {{.fixture = "mamba",
           .model_type = "mamba",
           .names = with_mixer(kBackbone, "mixer.", false),
           .layers = "backbone.layers.",
           .inverse = kFirst,
           .config = mamba_config,
           .tolerance = 1e-5F},
          {.fixture = "mamba2-g2",
           .model_type = "mamba2",
           .names = with_mixer(kBackbone, "mixer.", true),
           .layers = "backbone.layers.",
           .inverse = kSecond,
           .config = mamba2_config,
           .tolerance = 1e-5F},
          jamba(),
          lfm2(),
          falcon_h1(),
          granite_hybrid(),
          gpt_oss(),
          deepseek()};
}

class TakenApart : public testing::TestWithParam<FolderCase> {};

TEST_P(TakenApart, GivesTheFixtureBack) {
  const FolderCase& c = GetParam();
  const std::string path = test::shared("fixtures/architectures/" + c.fixture + ".gguf");
  if (!fs::exists(path)) GTEST_SKIP() << "missing " << path;
  test::expect_round_trip(GgufFile::open(path), c);
}

INSTANTIATE_TEST_SUITE_P(All, TakenApart, testing::ValuesIn(cases()), [](const auto& info) {
  std::string name = info.param.model_type;
  return name;
});

TEST(ImportHf, ABlockOfGraniteHybridMayHaveExperts) {
  ModelConfig m = small_config("granitehybrid");
  m.block_count = 4;
  m.head_counts_kv = {0, 2, 0, 2};
  m.ssm = {.conv_kernel = 4, .inner_size = 64, .state_size = 5, .time_step_rank = 4};
  m.experts.count = 3;
  m.experts.used = 2;
  m.experts.feed_forward_length = 12;
  m.experts.shared_feed_forward_length = 10;
  FolderCase c = granite_hybrid();
  c.names = with_mixer(common_but({{"ffn_gate_inp", "block_sparse_moe.router.layer"},
                                   {"ffn_down_exps", "block_sparse_moe.output_linear"},
                                   {"ffn_down_shexp", "shared_mlp.output_linear"}}),
                       "mamba.", true);
  c.joins = {
      {"ffn_gate_exps.weight", "ffn_up_exps.weight", "block_sparse_moe.input_linear.weight",
       halves},
      {"ffn_gate_shexp.weight", "ffn_up_shexp.weight", "shared_mlp.input_linear.weight", halves}};
  c.inverse["ssm_a"] = flat;  // random numbers have no logarithm
  c.config = [](const GgufFile& file, Json& j) {
    granite_config(file, j);
    j["num_local_experts"] = j["num_experts"];
    j.erase("num_experts");
    j["shared_intermediate_size"] = 10;
    j["intermediate_size"] = 12;
    j["logits_scaling"] = 1;
    j["attention_multiplier"] = 0;
  };
  const TemporaryFolder folder;
  const GgufFile file = test::random_file(m);
  test::FolderWriter(file, c, folder.path()).write();
  const GgufFile imported = parsed(hf_folder_to_gguf(folder.path(), std::nullopt));
  for (const char* name : {"blk.0.ffn_up_exps.weight", "blk.3.ffn_gate_shexp.weight",
                           "blk.1.attn_q.weight", "blk.2.ffn_down_exps.weight"}) {
    const Tensor a = file.tensor(name), b = imported.tensor(name);
    ASSERT_EQ(a.shape(), b.shape()) << name;
    EXPECT_EQ(std::memcmp(a.data(), b.data(), static_cast<size_t>(a.bytes())), 0) << name;
  }
  EXPECT_EQ(read_config(imported, "imported").experts, m.experts);
}

TEST(ImportHf, GraniteMayHaveExpertsInEveryBlock) {
  for (const int64_t shared : {0, 10}) {
    ModelConfig m = small_config("granitemoe");
    m.logit_scale = 6;
    m.embedding_scale = 12;
    m.feed_forward_length = 12;
    m.experts.count = 3;
    m.experts.used = 2;
    m.experts.feed_forward_length = 12;
    m.experts.shared_feed_forward_length = shared;
    const FolderCase c{.fixture = "",
                       .model_type = shared > 0 ? "granitemoeshared" : "granitemoe",
                       .names = common_but({{"ffn_gate_inp", "block_sparse_moe.router.layer"},
                                            {"ffn_down_exps", "block_sparse_moe.output_linear"},
                                            {"ffn_down_shexp", "shared_mlp.output_linear"}}),
                       .pairs = true,
                       .joins = {{"ffn_gate_exps.weight", "ffn_up_exps.weight",
                                  "block_sparse_moe.input_linear.weight", halves},
                                 {"ffn_gate_shexp.weight", "ffn_up_shexp.weight",
                                  "shared_mlp.input_linear.weight", halves}},
                       .config = [shared](const GgufFile&, Json& j) {
                         j["num_local_experts"] = j["num_experts"];
                         j.erase("num_experts");
                         j["intermediate_size"] = 12;
                         if (shared > 0) j["shared_intermediate_size"] = shared;
                       }};
    const TemporaryFolder folder;
    const GgufFile file = test::random_file(m);
    test::FolderWriter(file, c, folder.path()).write();
    const GgufFile imported = parsed(hf_folder_to_gguf(folder.path(), std::nullopt));
    for (const GgufTensor& info : file.tensors()) {
      const Tensor a = file.tensor(info.name), b = imported.tensor(info.name);
      ASSERT_EQ(a.shape(), b.shape()) << info.name;
      EXPECT_EQ(std::memcmp(a.data(), b.data(), static_cast<size_t>(a.bytes())), 0) << info.name;
    }
    EXPECT_EQ(read_config(imported, "imported").experts, m.experts);
    EXPECT_EQ(read_config(imported, "imported").embedding_scale, 12);
  }
}

TEST(ImportHf, Lfm2MixesExpertsAfterItsFirstBlocks) {
  ModelConfig m = small_config("lfm2moe");
  m.rope_pairs = ops::RopePairs::halves;
  m.block_count = 3;
  m.head_counts_kv = {0, 2, 0};
  m.short_conv = 3;
  m.experts.count = 4;
  m.experts.used = 2;
  m.experts.feed_forward_length = 24;
  m.experts.leading_dense_blocks = 1;
  m.experts.sigmoid_gate = true;
  FolderCase c = lfm2();
  c.model_type = "lfm2_moe";
  c.names["ffn_gate_inp"] = "feed_forward.gate";
  c.names["ffn_gate_exps"] = "feed_forward.experts.*.w1";
  c.names["ffn_down_exps"] = "feed_forward.experts.*.w2";
  c.names["ffn_up_exps"] = "feed_forward.experts.*.w3";
  c.config = [](const GgufFile&, Json& j) {
    j["norm_eps"] = j["rms_norm_eps"];
    j["conv_L_cache"] = 3;
    j["num_dense_layers"] = 1;
    j["routed_scaling_factor"] = 1.0;
    j["num_key_value_heads"] = 2;
    j["layer_types"] = {"conv", "full_attention", "conv"};
  };
  test::expect_round_trip(test::random_file(m), c);
}

TEST(ImportHf, PhiMixesExpertsWithBiasesAndLongRotaryFactors) {
  ModelConfig m = small_config("phimoe");
  m.rope_pairs = ops::RopePairs::halves;
  m.experts = {.count = 4, .used = 2, .feed_forward_length = 64};
  m.tied_embeddings = false;
  m.rope_scaling.original_context = 20;
  m.rope_scaling.attention_factor = 1.25;
  const FolderCase c{.fixture = "",
                     .model_type = "phimoe",
                     .names = common_but({{"ffn_gate_inp", "block_sparse_moe.gate"},
                                          {"ffn_gate_exps", "block_sparse_moe.experts.*.w1"},
                                          {"ffn_down_exps", "block_sparse_moe.experts.*.w2"},
                                          {"ffn_up_exps", "block_sparse_moe.experts.*.w3"}}),
                     .config = [](const GgufFile&, Json& j) {
                       j["num_local_experts"] = j["num_experts"];
                       j.erase("num_experts");
                       j.erase("moe_intermediate_size");
                       j["original_max_position_embeddings"] = 20;
                       j["rope_scaling"] = {{"type", "longrope"},
                                            {"long_mscale", 1.25},
                                            {"short_mscale", 1.25},
                                            {"long_factor", {1, 2, 3, 4}},
                                            {"short_factor", {1, 1, 1, 2}}};
                     }};
  const auto biased = [](std::string_view name) {
    return name.ends_with(".bias") && name.find("exp") == name.npos &&
           name.find("gate") == name.npos;
  };
  const TemporaryFolder folder;
  const GgufFile file = test::random_file(m, biased);
  test::FolderWriter(file, c, folder.path()).write();
  const GgufFile imported = parsed(hf_folder_to_gguf(folder.path(), std::nullopt));
  EXPECT_EQ(imported.tensor("rope_factors_long.weight").as<float>()[3], 4.0F);
  EXPECT_EQ(imported.tensors().size(), file.tensors().size() + 2);
  for (const char* name :
       {"output.bias", "blk.1.attn_q.bias", "blk.0.attn_norm.bias", "blk.1.ffn_up_exps.weight"}) {
    const Tensor a = file.tensor(name), b = imported.tensor(name);
    ASSERT_EQ(a.shape(), b.shape()) << name;
    EXPECT_EQ(std::memcmp(a.data(), b.data(), static_cast<size_t>(a.bytes())), 0) << name;
  }
  EXPECT_EQ(read_config(imported, "imported"), read_config(file, "file"));
}

TEST(ImportHf, OpenElmHasWidthsOfItsOwnInEveryBlock) {
  ModelConfig m = small_config("openelm");
  m.rope_pairs = ops::RopePairs::halves;
  m.head_counts = {2, 4};
  m.head_counts_kv = {1, 2};
  m.feed_forward_lengths = {48, 64};
  m.norm_eps = 1e-6F;
  const FolderCase c{.fixture = "",
                     .model_type = "openelm",
                     .names = {{"token_embd", "transformer.token_embeddings"},
                               {"output_norm", "transformer.norm"},
                               {"attn_norm", "attn_norm"},
                               {"attn_qkv", "attn.qkv_proj"},
                               {"attn_q_norm", "attn.q_norm"},
                               {"attn_k_norm", "attn.k_norm"},
                               {"attn_output", "attn.out_proj"},
                               {"ffn_norm", "ffn_norm"},
                               {"ffn_down", "ffn.proj_2"}},
                     .layers = "transformer.layers.",
                     .joins = {{"ffn_gate.weight", "ffn_up.weight", "ffn.proj_1.weight", halves}},
                     .config = [](const GgufFile&, Json& j) {
                       j = {{"model_type", "openelm"},
                            {"vocab_size", 20},
                            {"model_dim", 32},
                            {"num_transformer_layers", 2},
                            {"head_dim", 8},
                            {"max_context_length", 40},
                            {"num_query_heads", {2, 4}},
                            {"num_kv_heads", {1, 2}},
                            {"ffn_multipliers", {1.4, 2.0}},
                            {"ffn_dim_divisor", 16},
                            {"rope_freq_constant", 10000}};
                     }};
  test::expect_round_trip(test::random_file(m), c);
}

// The bytes of MXFP4 as OpenAI publishes them: neighbours in a byte, scales apart.
void take_blocks_apart(const Tensor& t, std::vector<uint8_t>& blocks,
                       std::vector<uint8_t>& scales) {
  const auto* from = t.as<const BlockMXFP4>();
  for (int64_t i = 0; i < t.shape().elements() / 32; ++i) {
    scales.push_back(from[i].e);
    const auto level = [&](int k) { return k < 16 ? from[i].q[k] & 15 : from[i].q[k - 16] >> 4; };
    for (int k = 0; k < 32; k += 2) {
      blocks.push_back(static_cast<uint8_t>(level(k) | level(k + 1) << 4));
    }
  }
}

Tensor as_bytes(const std::vector<uint8_t>& bytes, const Shape& shape) {
  Tensor t = Tensor::zeros(DType::i8, shape);
  std::memcpy(t.data(), bytes.data(), bytes.size());
  return t;
}

TEST(ImportHf, BlocksAndScalesOfMxfp4KeepTheirLevels) {
  const std::string path = test::shared("fixtures/architectures/gpt-oss.gguf");
  if (!fs::exists(path)) GTEST_SKIP() << "missing " << path;
  const GgufFile fixture = GgufFile::open(path);
  const TemporaryFolder folder;
  test::FolderWriter(fixture, gpt_oss(), folder.path()).write();
  const std::string file = folder.file("model.safetensors");
  std::vector<std::pair<std::string, Tensor>> tensors;
  {
    const SafetensorsFile whole = SafetensorsFile::open(file);
    for (const SafetensorsEntry& e : whole.entries()) {
      if (!e.name.ends_with("experts.gate_up_proj") && !e.name.ends_with("experts.down_proj"))
        tensors.emplace_back(e.name, whole.tensor(e.name).clone());
    }
  }
  for (int64_t block = 0; block < 4; ++block) {
    const auto part = [&](const char* name) {
      return fixture.tensor(fmt::format("blk.{}.ffn_{}_exps.weight", block, name));
    };
    const std::string stem = fmt::format("model.layers.{}.mlp.experts.", block);
    for (const auto& [name, t] :
         {std::pair{"gate_up_proj", stacked_rows(part("gate"), part("up"), true)},
          std::pair{"down_proj", part("down")}}) {
      std::vector<uint8_t> blocks, scales;
      take_blocks_apart(t.to(DType::mxfp4), blocks, scales);
      const int64_t E = t.shape()[0], rows = t.shape()[1], n = t.shape()[2] / 32;
      tensors.emplace_back(stem + name + "_blocks", as_bytes(blocks, {E, rows, n, 16}));
      tensors.emplace_back(stem + name + "_scales", as_bytes(scales, {E, rows, n}));
    }
  }
  write_safetensors(file, tensors);
  std::string bytes = read_text_file(file);
  for (size_t at = bytes.find("\"I8\""); at != bytes.npos; at = bytes.find("\"I8\"", at)) {
    bytes.replace(at, 4, "\"U8\"");
  }
  write_text_file(file, bytes);
  const GgufFile imported = parsed(hf_folder_to_gguf(folder.path(), std::nullopt));
  for (const char* name : {"gate", "up", "down"}) {
    const std::string gguf = fmt::format("blk.2.ffn_{}_exps.weight", name);
    const Tensor expected = fixture.tensor(gguf).to(DType::mxfp4), got = imported.tensor(gguf);
    ASSERT_EQ(got.dtype(), DType::mxfp4);
    ASSERT_EQ(got.shape(), expected.shape());
    EXPECT_EQ(std::memcmp(got.data(), expected.data(), static_cast<size_t>(got.bytes())), 0)
        << name;
  }
}

}  // namespace
}  // namespace bantam
