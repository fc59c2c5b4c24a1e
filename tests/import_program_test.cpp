// `bantam import` of Hugging Face folders as people have them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/random.h"
#include "formats/safetensors.h"
#include "models/model.h"
#include "program_fixture.h"

#ifdef BANTAM_PROGRAM

namespace bantam {
namespace {

using Json = nlohmann::json;
using Tensors = std::vector<std::pair<std::string, Tensor>>;

constexpr int64_t kWidth = 32, kVocabulary = 259;

Tensor random_matrix(int64_t rows, int64_t columns) {
  Random random(5, static_cast<uint64_t>(rows * 1000 + columns));
  Tensor t = Tensor::zeros(DType::f32, {rows, columns});
  for (int64_t i = 0; i < rows * columns; ++i) t.as<float>()[i] = 0.2f * random.normal();
  return t;
}

Tensor ones(int64_t n) {
  return Tensor::from(std::vector<float>(static_cast<size_t>(n), 1.0f), {n});
}

// A Llama of one block. Its tokens are bytes, "<|im_start|>" and "<|im_end|>".
class ImportProgram : public test::Program {
 protected:
  void SetUp() override {
    Program::SetUp();
    std::filesystem::create_directories(path("hf"));
    config_ = {{"model_type", "llama"},       {"hidden_size", kWidth},
               {"num_hidden_layers", 1},      {"num_attention_heads", 2},
               {"intermediate_size", 48},     {"vocab_size", kVocabulary},
               {"rms_norm_eps", 1e-5},        {"max_position_embeddings", 64},
               {"tie_word_embeddings", false}};
    const std::string block = "model.layers.0.";
    tensors_ = {{"model.embed_tokens.weight", random_matrix(kVocabulary, kWidth)},
                {"lm_head.weight", random_matrix(kVocabulary, kWidth)},
                {"model.norm.weight", ones(kWidth)},
                {block + "input_layernorm.weight", ones(kWidth)},
                {block + "post_attention_layernorm.weight", ones(kWidth)},
                {block + "mlp.gate_proj.weight", random_matrix(48, kWidth)},
                {block + "mlp.up_proj.weight", random_matrix(48, kWidth)},
                {block + "mlp.down_proj.weight", random_matrix(kWidth, 48)}};
    for (const char* part : {"q", "k", "v", "o"}) {
      tensors_.emplace_back(fmt::format("{}self_attn.{}_proj.weight", block, part),
                            random_matrix(kWidth, kWidth));
    }
    Json vocabulary{{"<unk>", 0}};
    for (int i = 0; i < 256; ++i) vocabulary[fmt::format("<0x{:02X}>", i)] = 1 + i;
    Json added = Json::array();
    for (const char* token : {"<|im_start|>", "<|im_end|>"}) {
      added.push_back({{"id", 257 + added.size()}, {"content", token}, {"special", true}});
      added.back().update(
          {{"single_word", false}, {"lstrip", false}, {"rstrip", false}, {"normalized", false}});
      vocabulary[token] = 256 + added.size();
    }
    const Json tokenizer{{"added_tokens", added},
                         {"decoder", {{"type", "ByteFallback"}}},
                         {"model",
                          {{"type", "BPE"},
                           {"unk_token", "<unk>"},
                           {"byte_fallback", true},
                           {"vocab", vocabulary},
                           {"merges", Json::array()}}}};
    write_text_file(path("hf/tokenizer.json"), tokenizer.dump());
  }

  void set_template(const std::string& text) {
    write_text_file(path("hf/tokenizer_config.json"),
                    Json{{"chat_template", text}, {"eos_token", "<|im_end|>"}}.dump());
  }

  Outcome import() {
    write_text_file(path("hf/config.json"), config_.dump());
    if (!tensors_.empty()) write_safetensors(path("hf/model.safetensors"), tensors_);
    return bantam(fmt::format("import {} -o {}", path("hf"), path("out.gguf")));
  }

  [[nodiscard]] bool imported() const { return std::filesystem::exists(path("out.gguf")); }

  Json config_;
  Tensors tensors_;
};

#define EXPECT_SAYS(outcome, text) \
  EXPECT_NE((outcome).output.find(text), std::string::npos) << (outcome).output

TEST_F(ImportProgram, TriesTheChatTemplateAndNamesTheTokenThatEndsAReply) {
  set_template(
      "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
      "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}");
  const Outcome o = import();
  EXPECT_EQ(o.code, 0) << o.output;
  EXPECT_SAYS(o, "chat: the template renders; a reply ends with <|im_end|>");
}

TEST_F(ImportProgram, TellsThatNothingEndsAReply) {
  set_template("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}");
  const Outcome o = import();
  EXPECT_EQ(o.code, 0) << o.output;
  EXPECT_SAYS(o, "this model may not stop");
}

TEST_F(ImportProgram, TellsWhatIsWrongWithAChatTemplate) {
  set_template("{% for m in messages %}{{ m.role ");
  const Outcome o = import();
  EXPECT_EQ(o.code, 0) << o.output;
  EXPECT_SAYS(o, "tokenizer.chat_template");
}

TEST_F(ImportProgram, RefusesWeightsThatItDoesNotRead) {
  config_["quantization_config"] = {{"quant_method", "gptq"}, {"bits", 4}};
  const Outcome gptq = import();
  EXPECT_EQ(gptq.code, 1);
  EXPECT_SAYS(gptq, "quantization_config.quant_method");
  EXPECT_SAYS(gptq, "gptq");
  config_.erase("quantization_config");
  std::filesystem::remove(path("hf/model.safetensors"));
  tensors_.clear();
  write_text_file(path("hf/pytorch_model.bin"), "PK");
  const Outcome pickled = import();
  EXPECT_EQ(pickled.code, 1);
  EXPECT_SAYS(pickled, "expected model.safetensors, got pytorch_model.bin only");
  EXPECT_FALSE(imported());
}

TEST_F(ImportProgram, NamesTheFieldThatWouldMakeAnotherModelOfIt) {
  const std::vector<std::pair<std::string, Json>> wrong = {
      {"hidden_act", "gelu"},          {"intermediate_size", (int64_t{1} << 32) + 48},
      {"max_position_embeddings", -1}, {"vocab_size", -1},
      {"sliding_window", -1},          {"rope_scaling", {{"type", "linear"}, {"factor", 0}}}};
  const Json plain = config_;
  for (const auto& [field, value] : wrong) {
    config_ = plain;
    config_[field] = value;
    const Outcome o = import();
    EXPECT_EQ(o.code, 1) << field;
    EXPECT_SAYS(o, "config.json] " + field);
    EXPECT_FALSE(imported());
  }
}

TEST_F(ImportProgram, MissesAHeadThatIsNotTheEmbeddingTable) {
  tensors_.erase(tensors_.begin() + 1);
  const Outcome o = import();
  EXPECT_EQ(o.code, 1);
  EXPECT_SAYS(o, "expected a tensor \"lm_head.weight\"");
  config_["tie_word_embeddings"] = true;
  EXPECT_EQ(import().code, 0);
}

TEST_F(ImportProgram, BlamesTheFolderForATensorThatIsMissing) {
  std::erase_if(tensors_, [](const auto& t) { return t.first.ends_with("up_proj.weight"); });
  const Outcome o = import();
  EXPECT_EQ(o.code, 1);
  EXPECT_SAYS(o, fmt::format("[{}] in GGUF's names: expected a tensor \"blk.0.ffn_up.weight\"",
                             path("hf")));
  EXPECT_FALSE(std::filesystem::exists(path("out.gguf.partial")));
}

TEST_F(ImportProgram, ShowsNamesWithoutWhatATerminalWouldObey) {
  config_["model_type"] = "llama\x1b[31m" + std::string(10'000, 'x');
  const Outcome o = import();
  EXPECT_EQ(o.code, 1);
  EXPECT_SAYS(o, "llama\\x1b[31m");
  EXPECT_LT(o.output.size(), 1000U);
}

// --- FP8 -----------------------------------------------------------------------------------------

// One of the 256 values of E4M3, counted from its definition.
float e4m3(int bits) {
  const int exponent = bits / 8 % 16, mantissa = bits % 8;
  const double x =
      exponent == 0 ? mantissa / 8.0 / 64 : (1 + mantissa / 8.0) * std::exp2(exponent - 7);
  return static_cast<float>(bits < 128 ? x : -x);
}

class Fp8 : public ImportProgram {
 protected:
  // The gate of the block as bytes that safetensors calls F8_E4M3, beside scales.
  void store_gate(const std::string& suffix, const Tensor& scales) {
    for (auto& [name, t] : tensors_) {
      if (name != kGate) continue;
      t = Tensor::zeros(DType::i8, {48, kWidth});
      for (int i = 0; i < 48 * kWidth; ++i) t.as<uint8_t>()[i] = byte(i);
    }
    tensors_.emplace_back(kGate + suffix, scales);
    write_safetensors(path("hf/model.safetensors"), tensors_);
    call_bytes_fp8(path("hf/model.safetensors"));
    tensors_.clear();
  }

  static uint8_t byte(int i) {
    const int bits = i * 37 % 256;
    return static_cast<uint8_t>(bits % 128 == 127 ? 0 : bits);
  }

  // Rewrites the header, whose size comes first; offsets count from its end.
  static void call_bytes_fp8(const std::string& file) {
    const std::string text = read_text_file(file);
    uint64_t size = 0;
    std::memcpy(&size, text.data(), sizeof size);
    std::string header = text.substr(8, size);
    const std::string type = "\"I8\"";
    header.replace(header.find(type), type.size(), "\"F8_E4M3\"");
    const uint64_t now = header.size();
    std::string start(8, '\0');
    std::memcpy(start.data(), &now, sizeof now);
    write_text_file(file, start + header + text.substr(8 + size));
  }

  void expect_gate(const std::function<float(int64_t, int64_t)>& scale) {
    const Outcome o = import();
    ASSERT_EQ(o.code, 0) << o.output;
    const Model model = load_model(path("out.gguf"));
    const Tensor& gate = model.weights.at("blk.0.ffn_gate.weight");
    EXPECT_EQ(gate.dtype(), DType::bf16);
    const Tensor values = gate.to(DType::f32);
    for (int i = 0; i < 48 * kWidth; ++i) {
      const float exact = e4m3(byte(i)) * scale(i / kWidth, i % kWidth);
      ASSERT_NEAR(values.as<float>()[i], exact, std::fabs(exact) / 256) << i;
    }
  }

  const std::string kGate = "model.layers.0.mlp.gate_proj.weight";
};

TEST_F(Fp8, IsMultipliedByTheScalesOfItsBlocks) {
  config_["quantization_config"] = {{"quant_method", "fp8"}, {"weight_block_size", {32, 24}}};
  store_gate("_scale_inv", Tensor::from(std::vector<float>{0.5f, 2, 0.25f, 3}, {2, 2}));
  const float scales[2][2] = {{0.5f, 2}, {0.25f, 3}};
  expect_gate([&](int64_t i, int64_t j) { return scales[i / 32][j / 24]; });
}

TEST_F(Fp8, IsMultipliedByTheScaleOfItsRowOrOfAll) {
  config_["quantization_config"] = {{"quant_method", "compressed-tensors"},
                                    {"format", "float-quantized"}};
  std::vector<float> rows;
  for (int i = 0; i < 48; ++i) rows.push_back(0.01f * static_cast<float>(i + 1));
  const Tensors before = tensors_;
  store_gate("_scale", Tensor::from(rows, {48, 1}));
  expect_gate([&](int64_t i, int64_t) { return rows[static_cast<size_t>(i)]; });
  tensors_ = before;
  store_gate("_scale", Tensor::from(std::vector<float>{0.75f}, {1}));
  expect_gate([](int64_t, int64_t) { return 0.75f; });
}

TEST_F(Fp8, NamesScalesThatDoNotFit) {
  config_["quantization_config"] = {{"quant_method", "fp8"}};
  store_gate("_scale_inv", Tensor::from(std::vector<float>{1, 2, 3}, {3}));
  const Outcome o = import();
  EXPECT_EQ(o.code, 1);
  EXPECT_SAYS(o, kGate + "_scale_inv");
}

}  // namespace
}  // namespace bantam

#endif
