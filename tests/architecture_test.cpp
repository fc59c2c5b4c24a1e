// Every architecture: it learns, it gives the same bits however its text is fed, for odd shapes
// too, and a file that is not quite one of it is refused by name.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/error.h"
#include "eval/logits.h"
#include "formats/gguf_writer.h"
#include "models/architectures.h"
#include "models/config_gguf.h"
#include "runtime/engine.h"
#include "tests/random_architecture.h"
#include "train/trainer.h"

namespace bantam {

using namespace test;

namespace {

std::vector<int32_t> text(int64_t n, int64_t vocabulary) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < n; ++i) ids.push_back(static_cast<int32_t>(i * 29 % vocabulary));
  return ids;
}

std::vector<float> logits_of(const Model& model, int64_t n, int64_t split, int threads = 1) {
  const auto engine = make_logits_engine(std::make_shared<Model>(model), n, threads, DType::f32);
  return sequence_logits(*engine, text(n, model.config.vocab_size), split);
}

class EveryArchitecture : public testing::TestWithParam<const Architecture*> {};
class EveryDecoder : public testing::TestWithParam<const Architecture*> {};

TEST_P(EveryDecoder, LearnsATextByHeart) {
  for (const DType compute : {DType::f32, DType::bf16}) {
    const ModelConfig c = config_of(*GetParam(), {});
    TrainerOptions o;
    o.sequences = 2;
    o.length = 12;
    o.compute = compute;
    o.threads = 2;
    Trainer trainer(c, initial_weights(c, 3), o);
    const std::vector<int32_t> ids = text(25, c.vocab_size);
    const TrainingBatch batch[] = {{std::span(ids).first(24), std::span(ids).last(24)}};
    const double before = trainer.step(batch, 0.01).cross_entropy;
    double after = before;
    for (int i = 0; i < 25; ++i) after = trainer.step(batch, 0.01).cross_entropy;
    EXPECT_LT(after, 0.6 * before);
  }
}

TEST_P(EveryDecoder, GivesTheSameBitsHoweverATextOfOddShapeIsSplit) {
  const Sizes shapes[] = {{},
                          {.blocks = 1, .width = 33, .heads = 3, .heads_kv = 3, .head = 11},
                          {.width = 20, .heads = 5, .heads_kv = 1, .head = 6, .vocabulary = 5},
                          {.blocks = 3, .width = 24, .heads = 6, .heads_kv = 2, .head = 10}};
  for (const Sizes& s : shapes) {
    const Model model = model_with(config_of(*GetParam(), s));
    const std::vector<float> whole = logits_of(model, 23, 0);
    for (const float x : whole) ASSERT_TRUE(std::isfinite(x));
    for (const int64_t split : {1, 7}) EXPECT_EQ(logits_of(model, 23, split, 2), whole);
    EXPECT_EQ(logits_of(model, 1, 0).size(), static_cast<size_t>(s.vocabulary));
  }
}

TEST(QwenMoe, NamesTheKeyThatTellsOfNoExperts) {
  ModelConfig c = config_of(find_architecture("qwen3moe", "test"), {});
  c.experts.count = 0;
  try {
    (void)required_weights(c);
    FAIL() << "expected an error";
  } catch (const Error& e) {
    EXPECT_NE(std::string_view(e.what()).find("expert_count"), std::string_view::npos) << e.what();
  }
}

std::string error_of(const std::string& path) {
  try {
    load_model(path);
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

TEST_P(EveryArchitecture, NamesWhatAFileLacks) {
  const Model model = model_with(config_of(*GetParam(), {}));
  const std::string path =
      testing::TempDir() + "/bantam_architecture_" + std::string(GetParam()->name) + ".gguf";
  for (const WeightShape& w : required_weights(model.config)) {
    if (w.name == "token_types.weight") continue;  // DistilBERT has none
    GgufWriter out;
    out.set("general.architecture", model.config.architecture);
    write_config(model.config, out);
    for (const auto& [name, t] : model.weights)
      if (name != w.name) out.add_tensor(name, t);
    out.write(path);
    EXPECT_NE(error_of(path).find(w.name), std::string::npos) << error_of(path);
  }
  Model wrong = model;
  const WeightShape last = required_weights(model.config).back();
  wrong.weights[last.name] = Tensor::zeros(DType::f32, {3, 5});
  save_model(wrong, path);
  EXPECT_NE(error_of(path).find(last.name), std::string::npos) << error_of(path);
  wrong.weights[last.name] = Tensor::zeros(DType::i32, last.shape);
  save_model(wrong, path);
  EXPECT_NE(error_of(path).find(last.name), std::string::npos) << error_of(path);

  GgufWriter out;
  out.set("general.architecture", model.config.architecture);
  for (const auto& [name, t] : model.weights) out.add_tensor(name, t);
  out.write(path);
  EXPECT_NE(error_of(path).find(".context_length"), std::string::npos) << error_of(path);
  std::filesystem::remove(path);
}

INSTANTIATE_TEST_SUITE_P(Architectures, EveryArchitecture,
                         testing::ValuesIn(architectures().begin(), architectures().end()),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Architectures, EveryDecoder, testing::ValuesIn(decoders()), name_of);

// --- architectures without a reference: equal to what they are variants of -----------------------

Model llama() {
  Sizes s;
  s.rotary = 8;
  ModelConfig c = config_of(find_architecture("llama", "test"), s);
  c.window = c.window_period = 0;
  return model_with(c);
}

TEST(MobileLlm, UsesEachBlockTwiceAsIfItWereTwo) {
  Model shared = llama();
  shared.config.architecture = "mobilellm";
  shared.config.block_repeats = 2;
  Model twice = llama();
  twice.config.block_count = 4;
  for (int64_t i = 3; i >= 0; --i)
    for (const auto& [name, t] : shared.weights) {
      const std::string from = fmt::format("blk.{}.", i / 2);
      if (name.starts_with(from))
        twice.weights[fmt::format("blk.{}.{}", i, name.substr(from.size()))] = t;
    }
  EXPECT_EQ(logits_of(shared, 20, 0), logits_of(twice, 20, 3));
}

TEST(MobiLlama, SharesOneFeedForward) {
  Model shared = llama();
  shared.config.architecture = "mobillama";
  Model each = llama();
  for (const char* part : {"ffn_gate.weight", "ffn_up.weight", "ffn_down.weight"}) {
    shared.weights[part] = each.weights.at(fmt::format("blk.0.{}", part));
    each.weights[fmt::format("blk.1.{}", part)] = shared.weights[part];
  }
  EXPECT_EQ(logits_of(shared, 20, 4), logits_of(each, 20, 0));
}

TEST(Mistral, SeesNoFurtherThanItsWindowInEachBlock) {
  Model model = llama();
  model.config.block_count = 1;
  const std::vector<float> all = logits_of(model, 20, 0);
  model.config.window = 20;
  EXPECT_EQ(logits_of(model, 20, 0), all);
  model.config.window = 4;
  const std::vector<float> windowed = logits_of(model, 20, 0);
  const auto vocabulary = static_cast<size_t>(model.config.vocab_size);
  EXPECT_TRUE(std::equal(all.begin(), all.begin() + static_cast<int64_t>(4 * vocabulary),
                         windowed.begin()));
  EXPECT_NE(windowed, all);
  // The last row's logits are those of its last four tokens, whatever stands before them.
  const auto engine = make_logits_engine(std::make_shared<Model>(model), 20, 1, DType::f32);
  const std::vector<int32_t> ids = text(20, model.config.vocab_size);
  std::vector<float> last(vocabulary);
  std::vector<Engine::Row> rows;
  for (int32_t i = 0; i < 20; ++i)
    rows.push_back({i < 16 ? 7 : ids[static_cast<size_t>(i)], 0, i, i == 19});
  engine->run(rows, last);
  EXPECT_TRUE(
      std::equal(last.begin(), last.end(), windowed.end() - static_cast<int64_t>(vocabulary)));
}

TEST(OpenElm, IsQwen3WithItsProjectionsInOne) {
  const Sizes s{.heads_kv = 2, .rotary = 8};
  ModelConfig c = config_of(find_architecture("qwen3", "test"), s);
  const Model qwen = model_with(c);
  Model elm = qwen;
  elm.config.architecture = "openelm";
  for (int64_t i = 0; i < c.block_count; ++i) {
    std::vector<float> rows;
    for (const char* part : {"attn_q", "attn_k", "attn_v"}) {
      const Tensor& t = qwen.weights.at(fmt::format("blk.{}.{}.weight", i, part));
      rows.insert(rows.end(), t.as<float>(), t.as<float>() + t.shape().elements());
    }
    const auto height = static_cast<int64_t>(rows.size()) / c.embedding_length;
    elm.weights[fmt::format("blk.{}.attn_qkv.weight", i)] =
        Tensor::from(rows, {height, c.embedding_length});
  }
  EXPECT_EQ(logits_of(elm, 20, 0), logits_of(qwen, 20, 0));
}

TEST(OpenElm, KeepsSizesThatDifferFromBlockToBlock) {
  ModelConfig c = config_of(find_architecture("openelm", "test"), {});
  c.head_counts = {2, 4};
  c.head_counts_kv = {1, 2};
  c.head_count_kv = 2;
  c.feed_forward_lengths = {17, 45};
  c.norm_eps = static_cast<float>(c.norm_eps);  // files hold floats
  c.window = 0;                                 // OpenELM has no such keys
  c.attention_softcap = c.logit_softcap = 0;
  const Model model = model_with(c);
  const std::string path = testing::TempDir() + "/bantam_openelm.gguf";
  save_model(model, path);
  const Model again = load_model(path);
  EXPECT_EQ(again.config.head_counts, c.head_counts);
  EXPECT_EQ(again.config.feed_forward_lengths, c.feed_forward_lengths);
  EXPECT_EQ(logits_of(again, 20, 6), logits_of(model, 20, 0));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace bantam
