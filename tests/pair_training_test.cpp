// Encoder-decoders from pairs to a model that writes.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "eval/perplexity.h"
#include "runtime/beam_search.h"
#include "tiny_t5.h"
#include "train/run.h"

namespace bantam {
namespace {

namespace fs = std::filesystem;

class PairTraining : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(BANTAM_BINARY_DIR) / "pair_training_test" /
              testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    // The last word of the source decides what is written.
    const std::string animals[] = {"dog", "cat", "hen", "cow"};
    const std::string says[] = {"woof woof", "miaow", "cluck cluck cluck", "moo"};
    const std::string where[] = {"in the house", "near the tree", "behind the old wall", "here"};
    Random random(4);
    std::string pairs;
    for (int i = 0; i < 400; ++i) {
      const uint32_t animal = random.below(4);
      pairs += fmt::format("{} {} there is a {}\tthe {} says {}\n", where[random.below(4)],
                           random.below(30), animals[animal], animals[animal], says[animal]);
    }
    write_text_file((folder_ / "pairs.tsv").string(), pairs);
  }

  Recipe parse(const std::string& output, const std::string& more = "") {
    return parse_recipe(fmt::format(R"(
name = "tiny"
output = "{}"
output_type = "f32"
[data]
train = ["pairs.tsv"]
held_out_every = 8
[tokenizer]
vocabulary = 300
[model]
architecture = "t5"
layers = 1
width = 32
heads = 2
feed_forward = 64
context = 48
gated_feed_forward = true
[train]
steps = 400
sequences = 8
length = 16
source_length = 24
learning_rate = 1e-2
warmup_steps = 10
eval_every = 400
checkpoint_every = 20
sample_prompts = ["here 3 there is a hen"]
{})",
                                    output, more),
                        (folder_ / "recipe.toml").string());
  }

  fs::path folder_;
};

TEST_F(PairTraining, LearnsWhatIsWrittenFromASource) {
  const RunResult run = run_training(parse("out"));
  ASSERT_TRUE(run.finished);
  EXPECT_LT(run.validation.perplexity_token, 2) << "300 tokens at random have perplexity 300";
  const auto model = std::make_shared<Model>(load_model(run.model_path));
  EXPECT_EQ(model->config.decoder_start_token, model->tokenizer->eos());
  EngineOptions engine;
  engine.sequences = 3;
  const BeamResult found =
      beam_search(std::make_shared<Engine>(model, engine), "here 5 there is a dog", {.beams = 3});
  EXPECT_EQ(found.hypotheses.at(0).text, "the dog says woof woof");

  // The file's perplexity on the held-out pairs is what training said.
  std::string held_out;
  for (const TextPair& pair : read_pairs((folder_ / "pairs.tsv").string())) {
    if (is_held_out(pair.source, 8)) held_out += pair.source + "\t" + pair.target + "\n";
  }
  const std::string path = (folder_ / "held-out.tsv").string();
  write_text_file(path, held_out);
  const std::vector<std::string> paths{path};
  // Training computes in bf16.
  const PerplexityResult p = perplexity(model, read_texts(*model, paths), {});
  EXPECT_NEAR(p.perplexity(), run.validation.perplexity_token,
              0.05 * run.validation.perplexity_token);
}

TEST_F(PairTraining, ResumesToTheSameBitsForAnyNumberOfThreads) {
  Recipe one = parse("one", "accumulation = 2\ndropout = 0.1\n");
  one.schedule.total_steps = 12;
  one.trainer.threads = 1;
  const RunResult whole = run_training(one);
  Recipe parts = parse("parts", "accumulation = 2\ndropout = 0.1\n");
  parts.schedule.total_steps = 12;
  parts.trainer.threads = 3;
  int steps = 0;
  RunEvents interrupted;
  interrupted.should_stop = [&] { return ++steps == 5; };
  EXPECT_FALSE(run_training(parts, interrupted).finished);
  const RunResult second = run_training(parts);
  ASSERT_TRUE(second.finished);
  EXPECT_EQ(read_text_file(whole.model_path), read_text_file(second.model_path));
}

TEST_F(PairTraining, CheckpointingActivationsGivesTheSameBits) {
  Recipe plain = parse("plain"), again = parse("again", "checkpoint_activations = true\n");
  plain.schedule.total_steps = again.schedule.total_steps = 4;
  EXPECT_EQ(read_text_file(run_training(plain).model_path),
            read_text_file(run_training(again).model_path));
}

// What a pair costs does not depend on how long its row of the batch is.
TEST_F(PairTraining, PaddingCostsNothing) {
  ModelConfig c = tiny_t5_config(false);
  c.vocab_size = 50;
  const std::vector<int32_t> source{3, 9, 4, 1}, target{7, 8, 2, 6, 1};
  std::vector<double> losses, norms;
  for (const int64_t padding : {0, 11}) {
    TrainerOptions o;
    o.sequences = 1;
    o.length = 5 + padding;
    o.source_length = 4 + padding;
    o.compute = DType::f32;
    o.clip = 0;
    std::vector<int32_t> ids(static_cast<size_t>(o.length)), targets(ids.size(), -1),
        sources(static_cast<size_t>(o.source_length), 17);
    ids[0] = c.decoder_start_token;
    std::copy(target.begin(), target.end() - 1, ids.begin() + 1);
    std::copy(target.begin(), target.end(), targets.begin());
    std::copy(source.begin(), source.end(), sources.begin());
    const std::vector<int32_t> lengths{4};
    Trainer trainer(c, filled_model(c).weights, o);
    const TrainingBatch batch{ids, targets, sources, lengths};
    const StepResult r = trainer.step(std::span(&batch, 1), 0);
    losses.push_back(r.cross_entropy);
    norms.push_back(r.gradient_norm);
  }
  EXPECT_NEAR(losses[0], losses[1], 1e-5 * losses[0]);
  EXPECT_NEAR(norms[0], norms[1], 1e-4 * norms[0]);
}

TEST_F(PairTraining, WantsPairsForEncoderDecodersOnly) {
  const auto error = [&](auto change) -> std::string {
    std::string text = R"(
[data]
train = ["pairs.tsv"]
[model]
architecture = "t5"
layers = 1
width = 32
heads = 2
feed_forward = 64
context = 48
[train]
steps = 1
)";
    change(text);
    try {
      parse_recipe(text, (folder_ / "recipe.toml").string());
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  };
  const auto replace = [](std::string& text, const std::string& from, const std::string& to) {
    text.replace(text.find(from), from.size(), to);
  };
  EXPECT_EQ(error([](std::string&) {}), "no error");
  EXPECT_NE(error([&](std::string& t) { replace(t, "pairs.tsv", "text.txt"); }).find("pairs"),
            std::string::npos);
  EXPECT_NE(error([&](std::string& t) { replace(t, "\"t5\"", "\"llama\""); }).find("not pairs"),
            std::string::npos);
}

}  // namespace
}  // namespace bantam
