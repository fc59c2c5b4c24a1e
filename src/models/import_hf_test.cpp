// Hugging Face folders, written here from the fixtures in ../shared by the inverse of what the
// importer does, must come back as the same GGUF file.

#include "models/import_hf.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "models/hf_folder_kit.h"
#include "models/model.h"

namespace bantam {
namespace {

namespace fs = std::filesystem;
using test::common_but;
using test::FolderCase;
using test::Json;
using test::kCommon;
using test::parsed;
using test::TemporaryFolder;

std::vector<FolderCase> cases() {
  const auto post = common_but({{"post_attention_norm", "post_attention_layernorm"},
                                {"post_ffw_norm", "post_feedforward_layernorm"}});
  const auto gemma = common_but({{"post_attention_norm", "post_attention_layernorm"},
                                 {"ffn_norm", "pre_feedforward_layernorm"},
                                 {"post_ffw_norm", "post_feedforward_layernorm"}});
  const auto mixtral = common_but({{"ffn_gate_inp", "block_sparse_moe.gate"},
                                   {"ffn_gate_exps", "block_sparse_moe.experts.*.w1"},
                                   {"ffn_down_exps", "block_sparse_moe.experts.*.w2"},
                                   {"ffn_up_exps", "block_sparse_moe.experts.*.w3"}});
  const auto experts = common_but({{"ffn_gate_inp", "mlp.gate"},
                                   {"ffn_gate_exps", "mlp.experts.*.gate_proj"},
                                   {"ffn_down_exps", "mlp.experts.*.down_proj"},
                                   {"ffn_up_exps", "mlp.experts.*.up_proj"},
                                   {"ffn_gate_inp_shexp", "mlp.shared_expert_gate"},
                                   {"ffn_gate_shexp", "mlp.shared_expert.gate_proj"},
                                   {"ffn_down_shexp", "mlp.shared_expert.down_proj"},
                                   {"ffn_up_shexp", "mlp.shared_expert.up_proj"}});
  std::vector<FolderCase> all = {
      {.fixture = "llama", .model_type = "llama", .names = kCommon, .pairs = true},
      {.fixture = "llama-bias", .model_type = "llama", .names = kCommon, .pairs = true},
      {.fixture = "mixtral", .model_type = "mixtral", .names = mixtral, .pairs = true},
      {.fixture = "granite", .model_type = "granite", .names = kCommon, .pairs = true},
      {.fixture = "smollm3", .model_type = "smollm3", .names = kCommon, .pairs = true},
      {.fixture = "qwen2", .model_type = "qwen2", .names = kCommon},
      {.fixture = "qwen3", .model_type = "qwen3", .names = kCommon},
      {.fixture = "qwen2moe",
       .model_type = "qwen2_moe",
       .names = experts,
       .inverse = {{"ffn_gate_inp_shexp.weight",
                    [](const Tensor& t) {
                      return t.reshaped({1, t.shape()[0]});
                    }}}},
      {.fixture = "qwen3moe", .model_type = "qwen3_moe", .names = experts},
      {.fixture = "olmoe", .model_type = "olmoe", .names = experts},
      {.fixture = "olmo2", .model_type = "olmo2", .names = post},
      {.fixture = "exaone4", .model_type = "exaone4", .names = post},
      {.fixture = "stablelm",
       .model_type = "stablelm",
       .names = kCommon,
       // As GGUF takes it to be; a norm before the feed-forward says otherwise.
       .config = [](const GgufFile&, Json& c) { c["use_parallel_residual"] = true; }},
      {.fixture = "gemma",
       .model_type = "gemma",
       .names = kCommon,
       .plus_one = true,
       .tolerance = 1e-6F},
      {.fixture = "gemma2",
       .model_type = "gemma2",
       .names = gemma,
       .plus_one = true,
       .tolerance = 1e-6F},
      {.fixture = "gemma3",
       .model_type = "gemma3_text",
       .names = gemma,
       .plus_one = true,
       .tolerance = 1e-6F},
      {.fixture = "phi2",
       .model_type = "phi",
       .names = common_but({{"output_norm", "model.final_layernorm"},
                            {"attn_output", "self_attn.dense"},
                            {"ffn_up", "mlp.fc1"},
                            {"ffn_down", "mlp.fc2"}})},
      {.fixture = "phi3",
       .model_type = "phi3",
       .names = common_but({{"attn_qkv", "self_attn.qkv_proj"}, {"ffn_up", "mlp.gate_up_proj"}})},
      {.fixture = "gpt2",
       .model_type = "gpt2",
       .names = {{"token_embd", "wte"},
                 {"position_embd", "wpe"},
                 {"output_norm", "ln_f"},
                 {"attn_norm", "ln_1"},
                 {"attn_qkv", "attn.c_attn"},
                 {"attn_output", "attn.c_proj"},
                 {"ffn_norm", "ln_2"},
                 {"ffn_up", "mlp.c_fc"},
                 {"ffn_down", "mlp.c_proj"}},
       .layers = "h.",
       .conv1d = true},
      {.fixture = "gptneox",
       .model_type = "gpt_neox",
       .names = {{"token_embd", "gpt_neox.embed_in"},
                 {"output_norm", "gpt_neox.final_layer_norm"},
                 {"output", "embed_out"},
                 {"attn_norm", "input_layernorm"},
                 {"attn_qkv", "attention.query_key_value"},
                 {"attn_output", "attention.dense"},
                 {"ffn_norm", "post_attention_layernorm"},
                 {"ffn_up", "mlp.dense_h_to_4h"},
                 {"ffn_down", "mlp.dense_4h_to_h"}},
       .layers = "gpt_neox.layers.",
       .neox = true},
  };
  all.push_back(all.back());
  all.back().fixture = "gptneox-seq";
  return all;
}

class ImportedFamily : public testing::TestWithParam<FolderCase> {};

TEST_P(ImportedFamily, GivesTheFixtureBack) {
  const FolderCase& c = GetParam();
  const std::string path = test::shared("fixtures/architectures/" + c.fixture + ".gguf");
  if (!fs::exists(path)) GTEST_SKIP() << "missing " << path;
  const GgufFile fixture = GgufFile::open(path);
  test::expect_round_trip(fixture, c);
}

INSTANTIATE_TEST_SUITE_P(All, ImportedFamily, testing::ValuesIn(cases()), [](const auto& info) {
  std::string name = info.param.fixture;
  std::erase(name, '-');
  return name;
});

// A one-block Llama made of ones, small enough to write down.
void write_tiny(const TemporaryFolder& folder, const std::string& changes = "{}") {
  Json config = {
      {"model_type", "llama"},         {"hidden_size", 8},        {"num_hidden_layers", 1},
      {"num_attention_heads", 2},      {"intermediate_size", 16}, {"vocab_size", 3},
      {"max_position_embeddings", 16}, {"rms_norm_eps", 1e-5},    {"tie_word_embeddings", true}};
  config.update(Json::parse(changes));
  write_text_file(folder.file("config.json"), config.dump());
  write_text_file(folder.file("tokenizer.json"),
                  R"({"model":{"type":"BPE","vocab":{"a":0,"b":1},"merges":[]},)"
                  R"("pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false}})");
  std::vector<std::pair<std::string, Tensor>> tensors;
  const auto add = [&](const std::string& name, const Shape& shape) {
    const std::vector<float> ones(static_cast<size_t>(shape.elements()), 1.0F);
    tensors.emplace_back(name + ".weight", Tensor::from(ones, shape).to(DType::bf16));
  };
  add("model.embed_tokens", {3, 8});
  add("model.norm", {8});
  const std::string layer = "model.layers.0.";
  for (const char* name : {"input_layernorm", "post_attention_layernorm"}) add(layer + name, {8});
  for (const char* name : {"q", "k", "v", "o"}) {
    add(fmt::format("{}self_attn.{}_proj", layer, name), {8, 8});
  }
  add(layer + "mlp.gate_proj", {16, 8});
  add(layer + "mlp.up_proj", {16, 8});
  add(layer + "mlp.down_proj", {8, 16});
  write_safetensors(folder.file("model.safetensors"), tensors);
}

std::string error_of(const TemporaryFolder& folder) {
  try {
    (void)hf_folder_to_gguf(folder.path(), std::nullopt);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(ImportHf, KeepsOrChangesTheTypeOfMatricesAndMakesVectorsF32) {
  const TemporaryFolder folder;
  write_tiny(folder);
  const GgufFile kept = parsed(hf_folder_to_gguf(folder.path(), std::nullopt));
  EXPECT_EQ(kept.find_tensor("blk.0.attn_q.weight")->dtype, DType::bf16);
  EXPECT_EQ(kept.find_tensor("output_norm.weight")->dtype, DType::f32);
  const GgufFile half = parsed(hf_folder_to_gguf(folder.path(), DType::f16));
  EXPECT_EQ(half.find_tensor("token_embd.weight")->dtype, DType::f16);
}

TEST(ImportHf, WritesAFileThatLoads) {
  const TemporaryFolder folder;
  write_tiny(folder);
  const std::string out = folder.file("model.gguf");
  import_hf(folder.path(), out, std::nullopt);
  const Model model = load_model(out);
  EXPECT_EQ(model.tokenizer->vocab_size(), 3);
  EXPECT_FALSE(fs::exists(out + ".partial"));
}

TEST(ImportHf, Llama3ScalingBecomesFrequencyFactors) {
  const TemporaryFolder folder;
  write_tiny(folder, R"({"rope_theta":500000.0,"head_dim":4,"rope_scaling":{"rope_type":"llama3",
    "factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,
    "original_max_position_embeddings":8192}})");
  const GgufFile file = parsed(hf_folder_to_gguf(folder.path(), std::nullopt));
  const Tensor factors = file.tensor("rope_freqs.weight");
  ASSERT_EQ(factors.shape(), (Shape{2}));
  EXPECT_FLOAT_EQ(factors.as<float>()[0], 1.0F);
  // Wavelength 2 pi sqrt(500000) = 4443: smooth = (8192 / 4443 - 1) / 3.
  const double smooth = (8192 / (2 * M_PI * std::sqrt(500000.0)) - 1) / 3;
  EXPECT_NEAR(factors.as<float>()[1], 1 / ((1 - smooth) / 8 + smooth), 1e-5);
}

TEST(ImportHf, StacksTheNormsOfHeadsAndLeavesOutWhatIsNoPartOfTheText) {
  const TemporaryFolder folder;
  write_tiny(folder, R"({"model_type":"stablelm"})");
  const std::string file = folder.file("model.safetensors");
  std::vector<std::pair<std::string, Tensor>> tensors;
  {
    const SafetensorsFile whole = SafetensorsFile::open(file);
    for (const SafetensorsEntry& e : whole.entries())
      tensors.emplace_back("language_model." + e.name, whole.tensor(e.name).clone());
  }
  const auto add = [&](const std::string& name, float value) {
    tensors.emplace_back(name, Tensor::from(std::vector<float>(4, value), {4}));
  };
  const std::string norm = "model.layers.0.self_attn.q_layernorm.norms.";
  add(norm + "1.weight", 2);
  add(norm + "0.weight", 1);
  add("model.layers.1.mlp.up_proj.weight", 0);  // a block too many foretells further tokens
  add("vision_tower.patch.weight", 0);
  write_safetensors(file, tensors);
  const GgufFile imported = parsed(hf_folder_to_gguf(folder.path(), std::nullopt));
  const Tensor norms = imported.tensor("blk.0.attn_q_norm.weight");
  EXPECT_EQ(norms.shape(), (Shape{2, 4}));
  EXPECT_EQ(norms.as<float>()[4], 2.0F);
  EXPECT_EQ(imported.find_tensor("blk.1.ffn_up.weight"), nullptr);
  EXPECT_NE(imported.find_tensor("token_embd.weight"), nullptr);
}

TEST(ImportHf, FaultsNameTheFileAndTheField) {
  const TemporaryFolder folder;
  write_tiny(folder, R"({"model_type":"rwkv"})");
  EXPECT_NE(error_of(folder).find("config.json] model_type: expected one of"), std::string::npos);
  write_tiny(folder, R"({"hidden_size":"8"})");
  EXPECT_NE(error_of(folder).find("hidden_size: expected an integer, got \"8\""),
            std::string::npos);
  write_tiny(folder, R"({"num_attention_heads":3,"head_dim":4})");
  EXPECT_NE(error_of(folder).find("_proj.weight\": expected 12 rows"), std::string::npos)
      << error_of(folder);
  write_tiny(folder, R"({"rope_scaling":{"type":"dynamic"}})");
  EXPECT_NE(error_of(folder).find("rope_scaling.type: expected default"), std::string::npos);
  write_tiny(folder, R"({"vocab_size":1})");
  EXPECT_NE(error_of(folder).find("at most 1 tokens"), std::string::npos);
  write_tiny(folder, R"({"model_type":"granitemoehybrid","layer_types":["attention","mamba"]})");
  EXPECT_NE(error_of(folder).find("layer_types: expected 1 kinds"), std::string::npos)
      << error_of(folder);
  write_tiny(folder, R"({"model_type":"jamba"})");
  EXPECT_NE(error_of(folder).find("attn_layer_period"), std::string::npos) << error_of(folder);
  write_tiny(folder, R"({"model_type":"deepseek_v2","qk_rope_head_dim":4,"scoring_func":"tanh"})");
  EXPECT_NE(error_of(folder).find("scoring_func: expected softmax or sigmoid"), std::string::npos)
      << error_of(folder);
  write_tiny(folder, R"({"model_type":"gpt_oss","swiglu_limit":5.0})");
  EXPECT_NE(error_of(folder).find("swiglu_limit: expected 7"), std::string::npos)
      << error_of(folder);
  write_tiny(folder, R"({"model_type":"bert","hidden_act":"relu"})");
  EXPECT_NE(error_of(folder).find("hidden_act: expected gelu"), std::string::npos)
      << error_of(folder);
  write_tiny(folder, R"({"model_type":"openelm","ffn_dim_divisor":0})");
  EXPECT_NE(error_of(folder).find("ffn_dim_divisor: expected a positive"), std::string::npos)
      << error_of(folder);
  write_tiny(folder, R"({"model_type":"phi"})");
  EXPECT_NE(error_of(folder).find("expected one of a phi model"), std::string::npos);
  fs::remove(folder.file("tokenizer.json"));
  write_tiny(folder);
  fs::remove(folder.file("tokenizer.json"));
  EXPECT_NE(error_of(folder).find("expected tokenizer.json"), std::string::npos);
}

}  // namespace
}  // namespace bantam
