// Hugging Face folders, written here from the fixtures in ../shared by the inverse of what the
// importer does, must come back as the same GGUF file.

#include "models/import_hf.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "formats/gguf.h"
#include "formats/safetensors.h"
#include "models/model.h"

namespace bantam {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

std::string shared(const std::string& name) {
  const char* root = std::getenv("BANTAM_SHARED");
  return fmt::format("{}/{}", root != nullptr ? root : BANTAM_SOURCE_DIR "/../shared", name);
}

class TemporaryFolder {
 public:
  TemporaryFolder()
      : path_((fs::temp_directory_path() / fmt::format("bantam-hf-{}", ::getpid())).string()) {
    fs::create_directories(path_);
  }
  ~TemporaryFolder() { fs::remove_all(path_); }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// What a test knows about a family, apart from the importer's own tables.
struct Case {
  std::string fixture;
  std::string model_type;
  std::map<std::string, std::string> names;  // GGUF "attn_q" -> "self_attn.q_proj"
  std::string layers = "model.layers.";
  Json extra = Json::object();  // of config.json
  bool pairs = false;           // q and k rows are stored as pairs in GGUF
  bool plus_one = false;        // norms are stored plus one
  bool conv1d = false;          // matrices of blocks are transposed
  bool neox = false;            // q, k, v are interleaved by head
};

const std::map<std::string, std::string> kCommon = {
    {"token_embd", "model.embed_tokens"},
    {"output_norm", "model.norm"},
    {"output", "lm_head"},
    {"attn_norm", "input_layernorm"},
    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},
    {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"},
    {"attn_q_norm", "self_attn.q_norm"},
    {"attn_k_norm", "self_attn.k_norm"},
    {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},
    {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
};

std::map<std::string, std::string> common_but(
    std::initializer_list<std::pair<const std::string, std::string>> changes) {
  std::map<std::string, std::string> names = kCommon;
  for (const auto& [gguf, hf] : changes) names[gguf] = hf;
  return names;
}

std::vector<Case> cases() {
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
  std::vector<Case> all = {
      {.fixture = "llama", .model_type = "llama", .names = kCommon, .pairs = true},
      {.fixture = "llama-bias", .model_type = "llama", .names = kCommon, .pairs = true},
      {.fixture = "mixtral", .model_type = "mixtral", .names = mixtral, .pairs = true},
      {.fixture = "granite", .model_type = "granite", .names = kCommon, .pairs = true},
      {.fixture = "smollm3", .model_type = "smollm3", .names = kCommon, .pairs = true},
      {.fixture = "qwen2", .model_type = "qwen2", .names = kCommon},
      {.fixture = "qwen3", .model_type = "qwen3", .names = kCommon},
      {.fixture = "qwen2moe", .model_type = "qwen2_moe", .names = experts},
      {.fixture = "qwen3moe", .model_type = "qwen3_moe", .names = experts},
      {.fixture = "olmoe", .model_type = "olmoe", .names = experts},
      {.fixture = "olmo2", .model_type = "olmo2", .names = post},
      {.fixture = "exaone4", .model_type = "exaone4", .names = post},
      {.fixture = "stablelm", .model_type = "stablelm", .names = kCommon},
      {.fixture = "gemma", .model_type = "gemma", .names = kCommon, .plus_one = true},
      {.fixture = "gemma2", .model_type = "gemma2", .names = gemma, .plus_one = true},
      {.fixture = "gemma3", .model_type = "gemma3_text", .names = gemma, .plus_one = true},
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

Tensor rows_from(const Tensor& t, const std::function<int64_t(int64_t)>& source) {
  Tensor out = Tensor::zeros(t.dtype(), t.shape());
  const int64_t rows = t.shape()[0];
  const auto bytes = static_cast<size_t>(t.bytes() / rows);
  for (int64_t i = 0; i < rows; ++i) {
    std::memcpy(out.as<std::byte>() + static_cast<size_t>(i) * bytes,
                t.as<std::byte>() + static_cast<size_t>(source(i)) * bytes, bytes);
  }
  return out;
}

Tensor transposed(const Tensor& t) {
  Tensor out = Tensor::zeros(DType::f32, Shape{t.shape()[1], t.shape()[0]});
  for (int64_t r = 0; r < t.shape()[0]; ++r) {
    for (int64_t c = 0; c < t.shape()[1]; ++c) {
      out.as<float>()[c * t.shape()[0] + r] = t.as<float>()[r * t.shape()[1] + c];
    }
  }
  return out;
}

class FolderWriter {
 public:
  FolderWriter(const GgufFile& file, const Case& c, std::string folder)
      : file_(file), case_(c), folder_(std::move(folder)) {
    prefix_ = file.text("general.architecture") + ".";
  }

  void write() {
    for (const GgufTensor& t : file_.tensors()) add(t.name, file_.tensor(t.name));
    write_safetensors(folder_ + "/model.safetensors", tensors_);
    write_text_file(folder_ + "/config.json", config().dump(1));
    write_text_file(folder_ + "/tokenizer.json",
                    R"({"model":{"type":"BPE","vocab":{"a":0,"b":1},"merges":[]},)"
                    R"("pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false}})");
    write_text_file(folder_ + "/tokenizer_config.json",
                    R"({"eos_token":{"content":"b"},"chat_template":"{{ messages }}"})");
  }

 private:
  [[nodiscard]] int64_t number(const std::string& key, int64_t otherwise) const {
    return file_.integer(prefix_ + key, otherwise);
  }
  [[nodiscard]] int64_t heads() const { return number("attention.head_count", 1); }
  [[nodiscard]] int64_t head_size() const {
    return number("attention.key_length", number("embedding_length", 0) / heads());
  }

  // Undoes what GGUF does to a tensor of this family.
  Tensor original(const std::string& part, const Tensor& t) const {
    const int64_t D = head_size();
    if (case_.plus_one && part.ends_with("norm")) {
      Tensor less = t.clone();
      for (int64_t i = 0; i < less.shape().elements(); ++i) less.as<float>()[i] -= 1;
      return less;
    }
    if (case_.pairs && (part == "attn_q" || part == "attn_k")) {
      return rows_from(t, [D](int64_t row) {
        const int64_t i = row % D;
        return row - i + 2 * (i % (D / 2)) + i / (D / 2);
      });
    }
    if (case_.neox && part == "attn_qkv") {
      const int64_t H = heads();
      return rows_from(t, [H, D](int64_t row) {
        const int64_t head = row / (3 * D);
        const int64_t which = row / D % 3;
        return (which * H + head) * D + row % D;
      });
    }
    if (case_.conv1d && t.shape().rank() == 2) return transposed(t);
    if (part == "ffn_gate_inp_shexp") return t.reshaped({1, t.shape()[0]});
    return t;
  }

  void add(const std::string& name, const Tensor& t) {
    std::string stem = name.substr(0, name.rfind('.'));
    const std::string suffix = name.substr(stem.size());
    std::string prefix;
    if (stem.starts_with("blk.")) {
      const size_t dot = stem.find('.', 4);
      prefix = case_.layers + stem.substr(4, dot - 4) + ".";
      stem = stem.substr(dot + 1);
    }
    ASSERT_TRUE(case_.names.contains(stem)) << name;
    const std::string& hf = case_.names.at(stem);
    const size_t star = hf.find('*');
    if (star == hf.npos) {
      // Embedding tables are not transposed.
      const Tensor changed = prefix.empty() && case_.conv1d ? t : original(stem, t);
      tensors_.emplace_back(prefix + hf + suffix, changed);
      return;
    }
    const Shape slice{t.shape()[1], t.shape()[2]};
    for (int64_t e = 0; e < t.shape()[0]; ++e) {
      const auto* data = t.as<float>() + e * slice.elements();
      tensors_.emplace_back(
          prefix + std::string(hf).replace(star, 1, fmt::format("{}", e)) + suffix,
          Tensor::from({data, static_cast<size_t>(slice.elements())}, slice));
    }
  }

  // config.json with the names that the family uses.
  [[nodiscard]] Json config() const {
    const bool gpt2 = case_.model_type == "gpt2";
    Json c = {{"model_type", case_.model_type}, {"vocab_size", number("vocab_size", 0)}};
    const auto count = [&](const char* hf, const std::string& key) {
      if (file_.find(prefix_ + key) != nullptr) c[hf] = number(key, 0);
    };
    const auto real = [&](const char* hf, const std::string& key) {
      if (file_.find(prefix_ + key) != nullptr) c[hf] = file_.real(prefix_ + key);
    };
    count(gpt2 ? "n_positions" : "max_position_embeddings", "context_length");
    count(gpt2 ? "n_embd" : "hidden_size", "embedding_length");
    count(gpt2 ? "n_layer" : "num_hidden_layers", "block_count");
    count(gpt2 ? "n_inner" : "intermediate_size", "feed_forward_length");
    count(gpt2 ? "n_head" : "num_attention_heads", "attention.head_count");
    count("num_key_value_heads", "attention.head_count_kv");
    count("head_dim", "attention.key_length");
    real(gpt2 ? "layer_norm_epsilon" : "layer_norm_eps", "attention.layer_norm_epsilon");
    real("rms_norm_eps", "attention.layer_norm_rms_epsilon");
    real("rope_theta", "rope.freq_base");
    const auto rotated = static_cast<double>(number("rope.dimension_count", head_size()));
    if (rotated != static_cast<double>(head_size())) {
      c[case_.neox ? "rotary_pct" : "partial_rotary_factor"] =
          rotated / static_cast<double>(head_size());
    }
    count("num_experts", "expert_count");
    count("num_experts_per_tok", "expert_used_count");
    count("moe_intermediate_size", "expert_feed_forward_length");
    count("shared_expert_intermediate_size", "expert_shared_feed_forward_length");
    count("sliding_window", "attention.sliding_window");
    real("attn_logit_softcapping", "attn_logit_softcapping");
    real("final_logit_softcapping", "final_logit_softcapping");
    real("rope_local_base_freq", "rope.freq_base_swa");
    real("logits_scaling", "logit_scale");
    real("residual_multiplier", "residual_scale");
    real("embedding_multiplier", "embedding_scale");
    real("attention_multiplier", "attention.scale");
    if (file_.find(prefix_ + "use_parallel_residual") != nullptr) {
      c["use_parallel_residual"] = file_.boolean(prefix_ + "use_parallel_residual");
    }
    c["tie_word_embeddings"] = file_.find_tensor("output.weight") == nullptr;
    c.update(case_.extra);
    return c;
  }

  const GgufFile& file_;
  const Case& case_;
  std::string folder_, prefix_;
  std::vector<std::pair<std::string, Tensor>> tensors_;
};

GgufFile parsed(const GgufWriter& writer) {
  auto bytes = std::make_shared<std::vector<std::byte>>(writer.bytes());
  return GgufFile::parse(*bytes, bytes, "imported");
}

class ImportedFamily : public testing::TestWithParam<Case> {};

TEST_P(ImportedFamily, GivesTheFixtureBack) {
  const Case& c = GetParam();
  const std::string path = shared("fixtures/architectures/" + c.fixture + ".gguf");
  if (!fs::exists(path)) GTEST_SKIP() << "missing " << path;
  const TemporaryFolder folder;
  const GgufFile fixture = GgufFile::open(path);
  FolderWriter(fixture, c, folder.path()).write();
  const GgufFile imported = parsed(hf_folder_to_gguf(folder.path(), std::nullopt));
  ASSERT_EQ(imported.tensors().size(), fixture.tensors().size());
  for (const GgufTensor& t : fixture.tensors()) {
    ASSERT_NE(imported.find_tensor(t.name), nullptr) << t.name;
    const Tensor expected = fixture.tensor(t.name);
    const Tensor got = imported.tensor(t.name);
    ASSERT_EQ(got.shape(), expected.shape()) << t.name;
    ASSERT_EQ(got.dtype(), expected.dtype()) << t.name;
    for (int64_t i = 0; i < expected.shape().elements(); ++i) {
      // Norms less one and plus one again lose the last bit.
      const float tolerance = c.plus_one ? 1e-6F : 0.0F;
      ASSERT_NEAR(got.as<float>()[i], expected.as<float>()[i], tolerance) << t.name << " " << i;
    }
  }
  const std::string prefix = fixture.text("general.architecture") + ".";
  for (const auto& [key, value] : fixture.metadata()) {
    if (!key.starts_with(prefix)) continue;
    ASSERT_NE(imported.find(key), nullptr) << key;
    if (std::holds_alternative<float>(value)) {
      EXPECT_FLOAT_EQ(static_cast<float>(imported.real(key)), std::get<float>(value)) << key;
    } else if (!std::holds_alternative<bool>(value)) {
      EXPECT_EQ(imported.integer(key), fixture.integer(key)) << key;
    } else {
      EXPECT_EQ(imported.boolean(key), std::get<bool>(value)) << key;
    }
  }
  EXPECT_EQ(imported.text("tokenizer.chat_template"), "{{ messages }}");
  EXPECT_EQ(imported.integer("tokenizer.ggml.eos_token_id"), 1);
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
  write_tiny(folder, R"({"model_type":"phi"})");
  EXPECT_NE(error_of(folder).find("expected one of a phi model"), std::string::npos);
  fs::remove(folder.file("tokenizer.json"));
  write_tiny(folder);
  fs::remove(folder.file("tokenizer.json"));
  EXPECT_NE(error_of(folder).find("expected tokenizer.json"), std::string::npos);
}

}  // namespace
}  // namespace bantam
