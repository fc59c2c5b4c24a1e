// Folders of T5 as Hugging Face writes them, made here from a random model, must come back as it.

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "formats/safetensors.h"
#include "models/architectures.h"
#include "models/import_hf.h"
#include "models/model.h"

namespace bantam {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr const char* kTokenizer =
    R"({"model":{"type":"Unigram","unk_id":2,"vocab":[["<pad>",0.0],["</s>",0.0],["<unk>",0.0],)"
    R"(["▁",-2.0],["a",-2.5],["▁a",-3.0],["b",-3.5]]},)"
    R"("pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"always"},)"
    R"("decoder":{"type":"Metaspace","replacement":"▁","prepend_scheme":"always"},)"
    R"("post_processor":{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A",)"
    R"("type_id":0}},{"SpecialToken":{"id":"</s>","type_id":0}}],"pair":[],)"
    R"("special_tokens":{"</s>":{"id":"</s>","ids":[1],"tokens":["</s>"]}}},)"
    R"("added_tokens":[{"id":0,"content":"<pad>","special":true},)"
    R"({"id":1,"content":"</s>","special":true},{"id":2,"content":"<unk>","special":true}]})";

struct Folder {
  std::string path;
  Json config;
  std::vector<std::pair<std::string, Tensor>> tensors;

  Folder() : path((fs::temp_directory_path() / fmt::format("bantam-t5-{}", ::getpid())).string()) {
    fs::create_directories(path);
  }
  ~Folder() { fs::remove_all(path); }
  void write() const {
    write_safetensors(path + "/model.safetensors", tensors);
    write_text_file(path + "/config.json", config.dump());
    write_text_file(path + "/tokenizer.json", kTokenizer);
    write_text_file(path + "/tokenizer_config.json",
                    R"({"eos_token":"</s>","pad_token":"<pad>","unk_token":"<unk>"})");
  }
  [[nodiscard]] std::string error() const {
    write();
    try {
      import_hf(path, path + "/wrong.gguf", std::nullopt);
    } catch (const Error& e) {
      EXPECT_FALSE(fs::exists(path + "/wrong.gguf"));
      return e.what();
    }
    return "no error";
  }
};

Model random_model(bool flan) {
  Model model;
  ModelConfig& c = model.config;
  c.architecture = "t5";
  c.context_length = 64;
  c.embedding_length = 12;
  c.block_count = 2;
  c.decoder_block_count = 3;
  c.feed_forward_length = 20;
  c.head_count = c.head_count_kv = 2;
  c.head_size = c.value_size = 5;
  c.vocab_size = 9;
  c.relative_buckets = 8;
  c.gated_feed_forward = flan;
  c.tied_embeddings = !flan;
  c.norm_eps = 1e-6f;
  uint64_t stream = 0;
  for (const WeightShape& w : required_weights(c)) {
    Random random(2, ++stream);
    Tensor t = Tensor::zeros(DType::f32, w.shape);
    for (int64_t i = 0; i < w.shape.elements(); ++i) t.as<float>()[i] = random.normal();
    model.weights[w.name] = t;
  }
  return model;
}

// The names of a checkpoint, written down apart from the importer's.
std::string hf_name(std::string name, bool flan) {
  if (name == "token_embd.weight") return "shared.weight";
  if (name == "output.weight") return "lm_head.weight";
  const bool decoder = name.starts_with("dec.");
  const std::string stack = decoder ? "decoder" : "encoder";
  name = name.substr(4);
  if (name == "output_norm.weight") return stack + ".final_layer_norm.weight";
  const std::string block = name.substr(4, 1), part = name.substr(6);
  const std::string last = decoder ? "2" : "1";
  const std::map<std::string, std::string> names = {
      {"attn_norm.weight", "0.layer_norm.weight"},
      {"attn_q.weight", "0.SelfAttention.q.weight"},
      {"attn_k.weight", "0.SelfAttention.k.weight"},
      {"attn_v.weight", "0.SelfAttention.v.weight"},
      {"attn_o.weight", "0.SelfAttention.o.weight"},
      {"attn_rel_b.weight", "0.SelfAttention.relative_attention_bias.weight"},
      {"cross_attn_norm.weight", "1.layer_norm.weight"},
      {"cross_attn_q.weight", "1.EncDecAttention.q.weight"},
      {"cross_attn_k.weight", "1.EncDecAttention.k.weight"},
      {"cross_attn_v.weight", "1.EncDecAttention.v.weight"},
      {"cross_attn_o.weight", "1.EncDecAttention.o.weight"},
      {"ffn_norm.weight", last + ".layer_norm.weight"},
      {"ffn_gate.weight", last + ".DenseReluDense.wi_0.weight"},
      {"ffn_up.weight", last + ".DenseReluDense." + (flan ? "wi_1" : "wi") + ".weight"},
      {"ffn_down.weight", last + ".DenseReluDense.wo.weight"}};
  return fmt::format("{}.block.{}.layer.{}", stack, block, names.at(part));
}

Folder folder_of(const Model& model, bool flan) {
  Folder folder;
  const ModelConfig& c = model.config;
  folder.config = {{"architectures", {"T5ForConditionalGeneration"}},
                   {"model_type", flan ? "mt5" : "t5"},
                   {"d_model", c.embedding_length},
                   {"d_kv", c.head_size},
                   {"d_ff", c.feed_forward_length},
                   {"num_heads", c.head_count},
                   {"num_layers", c.block_count},
                   {"num_decoder_layers", c.decoder_block_count},
                   {"n_positions", c.context_length},
                   {"vocab_size", c.vocab_size},
                   {"relative_attention_num_buckets", c.relative_buckets},
                   {"layer_norm_epsilon", 1e-6},
                   {"decoder_start_token_id", 0},
                   {"pad_token_id", 0},
                   {"eos_token_id", 1}};
  // T5's own configurations do not speak of ties: their default is to have them.
  if (flan) folder.config["tie_word_embeddings"] = false;
  if (flan) folder.config["feed_forward_proj"] = "gated-gelu";
  for (const auto& [name, t] : model.weights) folder.tensors.emplace_back(hf_name(name, flan), t);
  return folder;
}

TEST(ImportT5, GivesBackTheModelThatAFolderWasMadeOf) {
  for (const bool flan : {false, true}) {
    const Model model = random_model(flan);
    Folder folder = folder_of(model, flan);
    // Copies and leftovers of checkpoints.
    folder.tensors.emplace_back("encoder.embed_tokens.weight",
                                model.weights.at("token_embd.weight"));
    folder.tensors.emplace_back("decoder.embed_tokens.weight",
                                model.weights.at("token_embd.weight"));
    if (!flan) folder.tensors.emplace_back("lm_head.weight", model.weights.at("token_embd.weight"));
    folder.tensors.emplace_back(
        "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight",
        model.weights.at("dec.blk.0.attn_rel_b.weight"));
    folder.write();
    const std::string path = folder.path + "/model.gguf";
    import_hf(folder.path, path, std::nullopt);
    const Model again = load_model(path);
    EXPECT_EQ(again.config, model.config);
    ASSERT_EQ(again.weights.size(), model.weights.size());
    for (const auto& [name, t] : model.weights) {
      ASSERT_TRUE(again.weights.contains(name)) << name;
      const Tensor& got = again.weights.at(name);
      ASSERT_EQ(got.shape(), t.shape()) << name;
      EXPECT_TRUE(std::equal(t.as<float>(), t.as<float>() + t.shape().elements(), got.as<float>()))
          << name;
    }
    ASSERT_NE(again.tokenizer, nullptr);
    EXPECT_EQ(again.tokenizer->vocab_size(), 9);
    EXPECT_EQ(again.tokenizer->encode("a b"), (std::vector<int32_t>{5, 3, 6, 1}));
  }
}

TEST(ImportT5, TakesAnEncoderAloneAndHalvesMatricesOnRequest) {
  const Model model = random_model(true);
  Folder folder = folder_of(model, true);
  folder.config["architectures"] = {"T5EncoderModel"};
  std::erase_if(folder.tensors, [](const auto& t) {
    return t.first.starts_with("decoder.") || t.first.starts_with("lm_head");
  });
  folder.write();
  const std::string path = folder.path + "/model.gguf";
  import_hf(folder.path, path, DType::f16);
  const Model again = load_model(path);
  EXPECT_EQ(again.config.architecture, "t5encoder");
  EXPECT_FALSE(again.config.causal);
  EXPECT_EQ(again.weights.at("enc.blk.1.attn_q.weight").dtype(), DType::f16);
  EXPECT_EQ(again.weights.at("enc.blk.0.attn_rel_b.weight").dtype(), DType::f32);
  EXPECT_EQ(again.weights.at("enc.blk.0.attn_norm.weight").dtype(), DType::f32);
}

TEST(ImportT5, NamesWhatItDoesNotKnow) {
  const Model model = random_model(false);
  {
    Folder folder = folder_of(model, false);
    folder.config["feed_forward_proj"] = "gated-silu";
    EXPECT_NE(folder.error().find("feed_forward_proj: expected relu or gated-gelu"),
              std::string::npos);
    folder.config["feed_forward_proj"] = "relu";
    folder.config["relative_attention_max_distance"] = 64;
    EXPECT_NE(folder.error().find("relative_attention_max_distance: expected 128"),
              std::string::npos);
    folder.config["relative_attention_max_distance"] = 128;
    folder.config.erase("d_kv");
    EXPECT_NE(folder.error().find("d_kv"), std::string::npos);
    folder.config["d_kv"] = 0;
    EXPECT_NE(folder.error().find("d_kv: expected a positive number"), std::string::npos);
  }
  for (const char* name : {"encoder.block.0.layer.1.EncDecAttention.q.bias", "lm_foot.weight",
                           "decoder.block.x.layer.0.layer_norm.weight", "encoder.block."}) {
    Folder folder = folder_of(model, false);
    folder.tensors.emplace_back(name, Tensor::zeros(DType::f32, {2}));
    EXPECT_NE(folder.error().find(fmt::format("tensor \"{}\"", name)), std::string::npos) << name;
  }
  Folder folder = folder_of(model, false);
  folder.tensors.erase(folder.tensors.begin());
  EXPECT_NE(folder.error().find("got none"), std::string::npos) << folder.error();
}

}  // namespace
}  // namespace bantam
