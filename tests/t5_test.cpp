// Encoder-decoders: the formulas of the paper, the runs of a text in any pieces and company, files.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "formats/gguf.h"
#include "models/random_model.h"
#include "runtime/embedder.h"
#include "runtime/session.h"
#include "t5_reference.h"
#include "tiny_t5.h"

namespace bantam {
namespace {

using Ids = std::vector<int32_t>;

Ids ids_of(int32_t n, int32_t factor, int32_t vocabulary = 23) {
  Ids ids;
  for (int32_t i = 0; i < n; ++i) ids.push_back((i * factor + 3) % vocabulary);
  return ids;
}

const Ids kSource = ids_of(29, 7), kOther = ids_of(11, 5), kTarget = ids_of(31, 9);

EngineOptions options_of(int64_t sequences = 1, int threads = 2, DType cache = DType::f32) {
  EngineOptions o;
  o.threads = threads;
  o.sequences = sequences;
  o.all_logits = true;
  o.batch = 64;
  o.cache_type = cache;
  return o;
}

void read(Engine& engine, int32_t source, const Ids& ids) {
  const Engine::SourceText text{source, ids};
  engine.read(std::span(&text, 1));
}

// Logits of every token, fed in pieces of `split`.
std::vector<float> write(Engine& engine, int32_t sequence, const Ids& ids, size_t split) {
  std::vector<float> all;
  for (size_t begin = 0; begin < ids.size(); begin += split) {
    std::vector<Engine::Row> rows;
    for (size_t i = begin; i < std::min(ids.size(), begin + split); ++i)
      rows.push_back({ids[i], sequence, static_cast<int32_t>(i), true});
    std::vector<float> logits(rows.size() * static_cast<size_t>(engine.vocab_size()));
    engine.run(rows, logits);
    all.insert(all.end(), logits.begin(), logits.end());
  }
  return all;
}

std::shared_ptr<const Model> model_of(bool flan) {
  return std::make_shared<Model>(filled_model(tiny_t5_config(flan)));
}

std::vector<float> logits_of(bool flan, const EngineOptions& o, size_t split = 64) {
  Engine engine(model_of(flan), o);
  read(engine, 0, kSource);
  return write(engine, 0, kTarget, split);
}

TEST(T5, FollowsItsPaperInBothOfItsForms) {
  for (const bool flan : {false, true}) {
    const auto model = model_of(flan);
    const T5Reference reference(*model);
    const auto expected = reference.decode(reference.encode(kSource), kTarget);
    const std::vector<float> got = logits_of(flan, options_of());
    ASSERT_EQ(got.size(), expected.size() * 23);
    for (size_t i = 0; i < got.size(); ++i)
      ASSERT_NEAR(got[i], expected[i / 23][i % 23], 1e-4) << (flan ? "FLAN " : "T5 ") << i;
  }
}

TEST(T5, EncoderAloneGivesTheVectorsOfItsPaper) {
  Model model = filled_model(tiny_t5_config(true));
  const auto rows = T5Reference(model).encode(kSource);
  model.config.architecture = "t5encoder";
  model.config.causal = false;
  model.config.decoder_block_count = 0;
  std::erase_if(model.weights, [](const auto& w) { return w.first.starts_with("dec."); });
  const std::string path = testing::TempDir() + "/bantam_t5encoder.gguf";
  save_model(model, path);
  const auto encoder = std::make_shared<Model>(load_model(path));
  EmbedOptions options;
  options.pooling = Pooling::mean;
  options.normalise = false;
  const std::vector<float> got = Embedder(encoder, options).embed(kSource);
  for (size_t i = 0; i < got.size(); ++i) {
    double mean = 0;
    for (const auto& row : rows) mean += row[i] / static_cast<double>(rows.size());
    EXPECT_NEAR(got[i], mean, 2e-5) << i;
  }
  EXPECT_THROW(Session session(std::make_shared<Engine>(encoder)), Error);
  std::filesystem::remove(path);
}

TEST(T5, GivesTheSameBitsInOneRunInPiecesAndTokenByToken) {
  for (const bool flan : {false, true}) {
    for (const DType cache : {DType::f32, DType::f16}) {
      const auto whole = logits_of(flan, options_of(1, 1, cache));
      for (const size_t split : {1, 4, 13})
        EXPECT_EQ(logits_of(flan, options_of(1, 3, cache), split), whole) << split;
    }
  }
}

TEST(T5, GivesTheSameBitsWhateverElseIsReadAndWrittenBeside) {
  const auto model = model_of(true);
  Engine alone(model, options_of());
  read(alone, 0, kSource);
  const auto first = write(alone, 0, kTarget, 31);
  read(alone, 0, kOther);
  const auto second = write(alone, 0, kTarget, 31);
  EXPECT_NE(first, second);

  Engine together(model, options_of(2, 3));
  const Engine::SourceText texts[] = {{1, kOther}, {0, kSource}};
  together.read(texts);
  std::vector<Engine::Row> rows;
  for (int32_t i = 0; i < 31; ++i)
    for (int32_t s = 0; s < 2; ++s) rows.push_back({kTarget[static_cast<size_t>(i)], s, i, true});
  std::vector<float> logits(62 * 23);
  together.run(rows, logits);
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto& expected = i % 2 == 0 ? first : second;
    for (size_t v = 0; v < 23; ++v)
      ASSERT_EQ(logits[i * 23 + v], expected[i / 2 * 23 + v]) << i << " " << v;
  }
  // Both look at one source.
  together.look_at(1, 0);
  EXPECT_EQ(write(together, 1, kTarget, 5), first);
}

TEST(T5, GoesOnFromACopyOfASequence) {
  Engine engine(model_of(false), options_of(3));
  read(engine, 0, kSource);
  const auto whole = write(engine, 0, kTarget, 31);
  engine.copy(0, 2, 20);  // with its source
  const std::vector<Engine::Row> row{{kTarget[20], 2, 20, true}};
  std::vector<float> logits(23);
  engine.run(row, logits);
  EXPECT_TRUE(std::equal(logits.begin(), logits.end(), whole.begin() + 20 * 23));
}

TEST(T5, SaysWhatIsMissingOrTooLong) {
  Engine engine(model_of(false), options_of());
  EXPECT_THROW(write(engine, 0, kTarget, 31), Error);
  EXPECT_THROW(read(engine, 1, kSource), Error);
  EXPECT_THROW(read(engine, 0, ids_of(41, 3)), Error);
  EXPECT_THROW(read(engine, 0, {1, 23}), Error);
  EXPECT_THROW(read(engine, 0, {}), Error);
  EXPECT_THROW(engine.look_at(0, 1), Error);
  EXPECT_THROW(engine.copy(0, 0, 41), Error);
  const Engine::SourceText twice[] = {{0, kOther}, {0, kOther}};
  EXPECT_THROW(engine.read(twice), Error);
  ModelConfig decoder;
  decoder.context_length = 8;
  decoder.embedding_length = decoder.feed_forward_length = 8;
  decoder.block_count = decoder.head_count = decoder.head_count_kv = 1;
  decoder.head_size = decoder.rope_dims = 8;
  decoder.vocab_size = 23;
  const auto llama = std::make_shared<Model>(filled_model(decoder));
  Engine other(llama, options_of());
  EXPECT_THROW(read(other, 0, kOther), Error);
}

TEST(T5, WritesATextFromASourceAndThenAnotherOne) {
  const auto model = model_of(true);
  GenerateOptions options;
  options.sampler.temperature = 0;
  options.max_tokens = 12;
  Session session(std::make_shared<Engine>(model, options_of()));
  const GenerateResult result = session.generate(kSource, options);
  ASSERT_EQ(result.tokens.size(), 12u);
  EXPECT_EQ(result.prompt_tokens, 29);
  // Greedy by the reference.
  const T5Reference reference(*model);
  const auto source = reference.encode(kSource);
  Ids written{model->config.decoder_start_token};
  for (int i = 0; i < 12; ++i) {
    const auto last = reference.decode(source, written).back();
    const auto best = std::max_element(last.begin(), last.end()) - last.begin();
    written.push_back(static_cast<int32_t>(best));
  }
  EXPECT_EQ(Ids(written.begin() + 1, written.end()), result.tokens);
  EXPECT_NE(session.generate(kOther, options).tokens, result.tokens);
  EXPECT_EQ(session.generate(kSource, options).tokens, result.tokens);
}

TEST(T5, KeepsItsNamesAndNumbersInFiles) {
  for (const bool flan : {false, true}) {
    const Model model = filled_model(tiny_t5_config(flan));
    const std::string path = testing::TempDir() + "/bantam_t5.gguf";
    save_model(model, path);
    const GgufFile file = GgufFile::open(path);
    EXPECT_EQ(file.integer("t5.attention.relative_buckets_count"), flan ? 11 : 8);
    EXPECT_EQ(file.integer("t5.decoder_start_token_id"), 2);
    EXPECT_EQ(file.integer("t5.decoder_block_count"), 3);
    EXPECT_EQ(file.integer("t5.attention.key_length"), 7);
    for (const char* name :
         {"token_embd", "enc.output_norm", "dec.output_norm", "enc.blk.0.attn_rel_b",
          "dec.blk.0.attn_rel_b", "enc.blk.1.attn_norm", "enc.blk.1.attn_q", "enc.blk.1.attn_o",
          "enc.blk.1.ffn_down", "dec.blk.2.cross_attn_norm", "dec.blk.2.cross_attn_q",
          "dec.blk.2.cross_attn_k", "dec.blk.2.cross_attn_v", "dec.blk.2.cross_attn_o",
          "dec.blk.2.ffn_up"})
      EXPECT_NE(file.find_tensor(std::string(name) + ".weight"), nullptr) << name;
    EXPECT_EQ(file.find_tensor("enc.blk.0.ffn_gate.weight") != nullptr, flan);
    EXPECT_EQ(file.find_tensor("output.weight") != nullptr, flan);
    const auto again = std::make_shared<Model>(load_model(path));
    EXPECT_EQ(again->config, model.config);
    Engine engine(again, options_of());
    read(engine, 0, kSource);
    EXPECT_EQ(write(engine, 0, kTarget, 31), logits_of(flan, options_of()));
    std::filesystem::remove(path);
  }
}

// Each block of umT5 has a table of its own.
TEST(T5, TakesABlocksOwnBiasesWhereItHasThem) {
  Model model = filled_model(tiny_t5_config(false));
  for (const auto& [stack, blocks] : {std::pair{"enc", 2}, {"dec", 3}})
    for (int i = 1; i < blocks; ++i)
      model.weights[fmt::format("{}.blk.{}.attn_rel_b.weight", stack, i)] =
          model.weights.at(fmt::format("{}.blk.0.attn_rel_b.weight", stack));
  Engine same(std::make_shared<Model>(model), options_of());
  read(same, 0, kSource);
  EXPECT_EQ(write(same, 0, kTarget, 31), logits_of(false, options_of()));
  Tensor other = model.weights.at("dec.blk.2.attn_rel_b.weight").clone();
  other.as<float>()[0] += 1;
  model.weights["dec.blk.2.attn_rel_b.weight"] = other;
  Engine different(std::make_shared<Model>(model), options_of());
  read(different, 0, kSource);
  EXPECT_NE(write(different, 0, kTarget, 31), logits_of(false, options_of()));
}

TEST(T5, RandomModelsOfPublishedShapesRun) {
  ModelConfig c = known_shape("flan-t5-small");
  c.block_count = 1;
  c.decoder_block_count = 9;  // 18 projections of the source
  c.context_length = 16;
  const auto model =
      std::make_shared<Model>(random_model(c, [](const WeightShape&) { return DType::q8_0; }));
  Session session(std::make_shared<Engine>(model));
  GenerateOptions options;
  options.max_tokens = 4;
  options.ignore_eos = true;
  EXPECT_EQ(session.generate("abc", options).tokens.size(), 4u);
}

}  // namespace
}  // namespace bantam
