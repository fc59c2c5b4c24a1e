// Beam search against every text that there is.
#include "runtime/beam_search.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "tiny_model.h"
#include "tiny_t5.h"

namespace bantam {
namespace {

constexpr int32_t kEnd = 1;
constexpr int64_t kLongest = 4, kByteVocabulary = 5;
constexpr int64_t kAll = 256;  // 4^4 texts of the longest length that have not ended

const std::vector<int32_t> kPrompt = {3, 0, 4, 2, 2, 3};

std::shared_ptr<const Model> model_of(const std::string& name) {
  ModelConfig c = name == "t5" ? tiny_t5_config(true) : tiny_decoder_config(name.c_str());
  c.vocab_size = kByteVocabulary;
  return std::make_shared<Model>(filled_model(c));
}

std::shared_ptr<Engine> engine_of(const std::shared_ptr<const Model>& model, int64_t beams,
                                  int threads = 2) {
  EngineOptions o;
  o.threads = threads;
  o.sequences = beams;
  o.sources = 1;
  o.context = 12;
  o.cache_type = DType::f32;
  return std::make_shared<Engine>(model, o);
}

BeamOptions options_of(int64_t beams, int64_t best) {
  BeamOptions o;
  o.beams = beams;
  o.best = best;
  o.max_tokens = kLongest;
  o.end_tokens = {kEnd};
  return o;
}

struct Text {
  std::vector<int32_t> tokens;
  double log_probability = 0;
  int64_t length = 0;  // the end counted
};

// Every text of at most the longest length, each token's probability from a session of its own.
class Everything {
 public:
  explicit Everything(std::shared_ptr<const Model> model)
      : engine_(engine_of(model, 1)), reads_source_(model->config.reads_source()) {
    if (reads_source_)
      prefix_ = {model->config.decoder_start_token};
    else
      prefix_ = kPrompt;
    visit({});
  }

  [[nodiscard]] std::vector<Text> best(double penalty) const {
    std::vector<Text> sorted = texts_;
    const auto score = [&](const Text& t) {
      return t.log_probability / std::pow(static_cast<double>(t.length), penalty);
    };
    std::sort(sorted.begin(), sorted.end(),
              [&](const Text& a, const Text& b) { return score(a) > score(b); });
    return sorted;
  }

 private:
  void visit(const Text& text) {
    if (text.length == kLongest) return texts_.push_back(text);
    Session session(engine_);
    if (reads_source_) session.read(kPrompt);
    std::vector<int32_t> ids = prefix_;
    ids.insert(ids.end(), text.tokens.begin(), text.tokens.end());
    const auto logits = session.feed(ids);
    double sum = 0;
    for (const float x : logits) sum += std::exp(static_cast<double>(x));
    const std::vector<float> next(logits.begin(), logits.end());
    for (int32_t token = 0; token < kByteVocabulary; ++token) {
      Text longer = text;
      longer.log_probability += next[static_cast<size_t>(token)] - std::log(sum);
      ++longer.length;
      if (token == kEnd) {
        texts_.push_back(longer);
        continue;
      }
      longer.tokens.push_back(token);
      visit(longer);
    }
  }

  std::shared_ptr<Engine> engine_;
  bool reads_source_;
  std::vector<int32_t> prefix_;
  std::vector<Text> texts_;
};

class BeamSearch : public testing::TestWithParam<const char*> {};

TEST_P(BeamSearch, FindsTheBestOfAllTextsWhenItKeepsThemAll) {
  const auto model = model_of(GetParam());
  const Everything everything(model);
  const auto engine = engine_of(model, kAll);
  for (const double penalty : {0.0, 1.0, 2.5, -0.5}) {
    BeamOptions options = options_of(kAll, 12);
    options.length_penalty = penalty;
    const BeamResult found = beam_search(engine, kPrompt, options);
    const std::vector<Text> all = everything.best(penalty);
    ASSERT_EQ(found.hypotheses.size(), 12u);
    for (size_t i = 0; i < found.hypotheses.size(); ++i) {
      const Hypothesis& h = found.hypotheses[i];
      EXPECT_NEAR(h.log_probability, all[i].log_probability, 1e-4) << penalty << " " << i;
      EXPECT_EQ(h.tokens, all[i].tokens) << penalty << " " << i;
      EXPECT_EQ(h.reason, h.tokens.size() == kLongest ? StopReason::max_tokens : StopReason::eos);
    }
  }
}

TEST_P(BeamSearch, WithOneBeamIsGreedy) {
  const auto model = model_of(GetParam());
  GenerateOptions greedy;
  greedy.sampler.temperature = 0;
  greedy.max_tokens = 6;
  Session session(engine_of(model, 1));
  const GenerateResult expected = session.generate(kPrompt, greedy);
  BeamOptions options = options_of(1, 1);
  options.max_tokens = 6;
  options.end_tokens.clear();
  const BeamResult found = beam_search(engine_of(model, 1), kPrompt, options);
  EXPECT_EQ(found.hypotheses.at(0).tokens, expected.tokens);
}

TEST_P(BeamSearch, FindsTheSameToTheBitForAnyNumberOfThreads) {
  const auto model = model_of(GetParam());
  BeamOptions options = options_of(3, 3);
  options.max_tokens = 0;  // as far as the context goes
  const BeamResult one = beam_search(engine_of(model, 3, 1), kPrompt, options);
  const BeamResult three = beam_search(engine_of(model, 7, 3), kPrompt, options);
  ASSERT_EQ(one.hypotheses.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(one.hypotheses[i].tokens, three.hypotheses[i].tokens);
    EXPECT_EQ(one.hypotheses[i].score, three.hypotheses[i].score);
  }
}

// What a beam's cache holds is what its text says: its probability can be had from the text alone.
TEST_P(BeamSearch, KeepsTheCachesOfItsBeamsApart) {
  const auto model = model_of(GetParam());
  BeamOptions options = options_of(3, 3);
  options.max_tokens = 6;
  options.length_penalty = 0;
  options.ignore_eos = true;
  const BeamResult found = beam_search(engine_of(model, 3), kPrompt, options);
  const bool reads_source = model->config.reads_source();
  for (const Hypothesis& h : found.hypotheses) {
    ASSERT_EQ(h.tokens.size(), 6u);
    Session session(engine_of(model, 1));
    if (reads_source) session.read(kPrompt);
    std::vector<int32_t> ids =
        reads_source ? std::vector<int32_t>{model->config.decoder_start_token} : kPrompt;
    double log_probability = 0;
    for (const int32_t token : h.tokens) {
      const auto logits = session.feed(ids);
      double sum = 0;
      for (const float x : logits) sum += std::exp(static_cast<double>(x));
      log_probability += logits[static_cast<size_t>(token)] - std::log(sum);
      ids = {token};
    }
    EXPECT_NEAR(h.log_probability, log_probability, 1e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, BeamSearch, testing::Values("t5", "llama", "mamba"),
                         [](const auto& row) { return std::string(row.param); });

TEST(BeamSearchOptions, StopEarlyAndNameWhatIsOutOfRange) {
  const auto model = model_of("t5");
  BeamOptions options = options_of(2, 2);
  options.max_tokens = 0;
  const BeamResult late = beam_search(engine_of(model, 2), kPrompt, options);
  options.early_stopping = true;
  const BeamResult early = beam_search(engine_of(model, 2), kPrompt, options);
  EXPECT_LE(early.steps, late.steps);
  EXPECT_LE(early.hypotheses[0].score, late.hypotheses[0].score);
  for (BeamOptions wrong : {options_of(0, 1), options_of(2, 3), options_of(3, 1)})
    EXPECT_THROW(beam_search(engine_of(model, 2), kPrompt, wrong), Error);
  options.length_penalty = NAN;
  EXPECT_THROW(beam_search(engine_of(model, 2), kPrompt, options), Error);
  EXPECT_THROW(beam_search(engine_of(model, 2), std::vector<int32_t>{}, options_of(2, 1)), Error);
}

}  // namespace
}  // namespace bantam
