// Folders of encoders, with what sentence-transformers says beside them.

#include <gtest/gtest.h>

#include "base/error.h"
#include "models/hf_folder_kit.h"
#include "models/model.h"

namespace bantam {
namespace {

namespace fs = std::filesystem;
using test::FolderCase;
using test::Json;
using test::Names;
using test::parsed;
using test::TemporaryFolder;

const Names kBert = {{"token_embd", "embeddings.word_embeddings"},
                     {"position_embd", "embeddings.position_embeddings"},
                     {"token_types", "embeddings.token_type_embeddings"},
                     {"token_embd_norm", "embeddings.LayerNorm"},
                     {"attn_q", "attention.self.query"},
                     {"attn_k", "attention.self.key"},
                     {"attn_v", "attention.self.value"},
                     {"attn_output", "attention.output.dense"},
                     {"attn_output_norm", "attention.output.LayerNorm"},
                     {"ffn_up", "intermediate.dense"},
                     {"ffn_down", "output.dense"},
                     {"layer_output_norm", "output.LayerNorm"}};

ModelConfig small_bert() {
  ModelConfig m = test::small_config("bert");
  m.head_count_kv = 4;
  m.causal = false;
  m.token_types = 2;
  m.norm_eps = 1e-12F;
  m.rope_dims = 0;
  m.rope_pairs = ops::RopePairs::halves;
  return m;
}

TEST(ImportHf, BertComesWithItsPoolingAndPrompts) {
  const TemporaryFolder folder;
  ModelConfig m = small_bert();
  m.pooling = Pooling::first;
  const GgufFile file = test::random_file(m);
  const FolderCase c{.fixture = "",
                     .model_type = "bert",
                     .names = kBert,
                     .layers = "encoder.layer.",
                     .config = [](const GgufFile&, Json& j) { j["type_vocab_size"] = 2; }};
  test::FolderWriter(file, c, folder.path()).write();
  const auto module = [](const std::string& path, const std::string& kind) {
    return Json{{"path", path}, {"type", "sentence_transformers.models." + kind}};
  };
  const auto modules = [&](const std::string& last) {
    const Json list = {module("", "Transformer"), module("1_Pooling", "Pooling"),
                       module("2_Normalize", last)};
    write_text_file(folder.file("modules.json"), list.dump());
  };
  const auto pooling = [&](const Json& modes) {
    write_text_file(folder.file("1_Pooling/config.json"), modes.dump());
  };
  fs::create_directories(folder.file("1_Pooling"));
  modules("Normalize");
  pooling({{"word_embedding_dimension", 32},
           {"pooling_mode_cls_token", true},
           {"pooling_mode_mean_tokens", false}});
  write_text_file(folder.file("config_sentence_transformers.json"),
                  R"({"prompts":{"query":"search: ","document":""}})");
  const GgufFile imported = parsed(hf_folder_to_gguf(folder.path(), std::nullopt));
  test::expect_same_tensors(imported, file, 0);
  EXPECT_EQ(read_config(imported, "imported"), read_config(file, "file"));
  EXPECT_EQ(read_config(imported, "imported").pooling, Pooling::first);
  EXPECT_TRUE(imported.boolean("bantam.embedding.normalise"));
  EXPECT_EQ(imported.text("bantam.embedding.prompt.query"), "search: ");

  const auto error = [&] {
    try {
      (void)hf_folder_to_gguf(folder.path(), std::nullopt);
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  pooling({{"pooling_mode_max_tokens", true}});
  EXPECT_NE(error().find("1_Pooling/config.json] pooling_mode_max_tokens: expected one of"),
            std::string::npos)
      << error();
  modules("Dense");
  pooling({{"pooling_mode_cls_token", true}});
  EXPECT_NE(error().find("type: expected Transformer, Pooling or Normalize"), std::string::npos)
      << error();
}

TEST(ImportHf, DistilBertHasNamesOfItsOwn) {
  ModelConfig m = small_bert();
  m.token_types = 0;
  const FolderCase c{.fixture = "",
                     .model_type = "distilbert",
                     .names = {{"token_embd", "distilbert.embeddings.word_embeddings"},
                               {"position_embd", "distilbert.embeddings.position_embeddings"},
                               {"token_embd_norm", "distilbert.embeddings.LayerNorm"},
                               {"attn_q", "attention.q_lin"},
                               {"attn_k", "attention.k_lin"},
                               {"attn_v", "attention.v_lin"},
                               {"attn_output", "attention.out_lin"},
                               {"attn_output_norm", "sa_layer_norm"},
                               {"ffn_up", "ffn.lin1"},
                               {"ffn_down", "ffn.lin2"},
                               {"layer_output_norm", "output_layer_norm"}},
                     .layers = "distilbert.transformer.layer.",
                     .config =
                         [](const GgufFile&, Json& j) {
                           j = {{"model_type", "distilbert"},
                                {"dim", 32},
                                {"hidden_dim", 64},
                                {"n_heads", 4},
                                {"n_layers", 2},
                                {"vocab_size", 20},
                                {"max_position_embeddings", 40}};
                         },
                     .differs = {"attention.key_length", "attention.value_length"}};
  test::expect_round_trip(test::random_file(m), c);
}

}  // namespace
}  // namespace bantam
