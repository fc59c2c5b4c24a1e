#include <gtest/gtest.h>

#include <map>

#include "base/error.h"
#include "base/random.h"
#include "runtime/session.h"
#include "tests/tiny_model.h"

// A screened head changes what is computed, not what is written.

namespace bantam {
namespace {

std::shared_ptr<const Model> model_of(DType type) {
  static std::map<DType, std::shared_ptr<const Model>> made;
  std::shared_ptr<const Model>& model = made[type];
  if (model != nullptr) return model;
  ModelConfig config = tiny_config();
  config.vocab_size = 2003;
  return model = tiny_model(type, 1, config);
}

EngineOptions screened(int threads = 1, int64_t sequences = 1) {
  EngineOptions o;
  o.threads = threads;
  o.sequences = sequences;
  o.screened_head = true;
  return o;
}

std::vector<int32_t> prompt(uint64_t seed) {
  Random random(seed);
  std::vector<int32_t> ids;
  for (int i = 0; i < 6; ++i) ids.push_back(static_cast<int32_t>(random.below(2003)));
  return ids;
}

std::vector<SamplerOptions> samplers() {
  std::vector<SamplerOptions> all(6);
  all[0].temperature = 0;
  all[1] = {.temperature = 0, .repetition_penalty = 1.3f, .repetition_window = 20};
  all[2] = {.temperature = 1, .top_k = 5, .top_p = 1};
  all[3] = {.temperature = 0.7f, .top_k = 40, .min_p = 0.05f, .seed = 3};
  all[4] = {.temperature = 2, .top_k = 40, .repetition_penalty = 1.1f, .seed = 4};
  all[5] = {.temperature = 1, .top_k = 0, .seed = 5};  // every logit counts
  return all;
}

class HeadType : public testing::TestWithParam<DType> {};

TEST_P(HeadType, WritesTheTextOfAFullHeadWhateverIsSampled) {
  const auto model = model_of(GetParam());
  const auto full = std::make_shared<Engine>(model);
  for (const int threads : {1, 2}) {
    const auto engine = std::make_shared<Engine>(model, screened(threads));
    for (uint64_t seed = 0; seed < 2; ++seed) {
      for (const SamplerOptions& sampler : samplers()) {
        GenerateOptions options;
        options.max_tokens = 20;
        options.sampler = sampler;
        Session a(full), b(engine);
        const GenerateResult expected = a.generate(prompt(seed), options);
        const GenerateResult got = b.generate(prompt(seed), options);
        EXPECT_EQ(got.tokens, expected.tokens) << sampler.temperature << " " << sampler.top_k;
        if (sampler.temperature == 0 && sampler.repetition_penalty == 1) {
          EXPECT_LT(got.head_share, 1);
        }
        EXPECT_EQ(expected.head_share, 1);
      }
    }
  }
}

TEST_P(HeadType, LogitsThatAreAskedForAreComplete) {
  const auto model = model_of(GetParam());
  Session a(std::make_shared<Engine>(model)), b(std::make_shared<Engine>(model, screened()));
  GenerateOptions options;
  options.max_tokens = 10;
  options.sampler.temperature = 0;
  a.generate(prompt(1), options);
  b.generate(prompt(1), options);
  const auto bits = [](std::span<const float> v) { return std::vector<float>(v.begin(), v.end()); };
  EXPECT_EQ(b.save().logits, a.save().logits);
  EXPECT_EQ(bits(b.feed({})), bits(a.feed({})));
  const std::vector<int32_t> more = {5};
  EXPECT_EQ(bits(b.feed(more)), bits(a.feed(more)));
}

TEST_P(HeadType, GivesTheSameBitsAloneAndInABatch) {
  const auto model = model_of(GetParam());
  Engine alone(model, screened()), together(model, screened(2, 3));
  const auto V = static_cast<size_t>(alone.vocab_size());
  std::vector<float> one(V), three(3 * V);
  for (int32_t at = 0; at < 8; ++at) {
    const Engine::Row mine{11 + at, 0, at, true, 4};
    alone.run(std::span(&mine, 1), one);
    const Engine::Row rows[] = {
        {7 + at, 2, at, true, 1}, {11 + at, 1, at, true, 4}, {90 + at, 0, at, true, 0}};
    together.run(rows, three);
    EXPECT_EQ(one, std::vector<float>(three.begin() + static_cast<std::ptrdiff_t>(V),
                                      three.begin() + static_cast<std::ptrdiff_t>(2 * V)));
  }
}

INSTANTIATE_TEST_SUITE_P(ScreenedHead, HeadType, testing::Values(DType::q8_0, DType::q6_k),
                         [](const auto& test) { return std::string(dtype_info(test.param).name); });

TEST(ScreenedHead, ThePlanCountsTheScreen) {
  const auto model = model_of(DType::q8_0);
  const int64_t V = 2003, K = 256;
  const int64_t more = plan_memory(*model, screened()).weights - plan_memory(*model, {}).weights;
  EXPECT_EQ(more, V * K / 32 * 18 + V * 4);
}

TEST(ScreenedHead, IsRefusedWhereItCouldDoNothing) {
  const auto message = [](const std::shared_ptr<const Model>& model, EngineOptions o) {
    try {
      const Engine engine(model, o);
      return std::string("no error");
    } catch (const Error& e) {
      return std::string(e.what());
    }
  };
  EXPECT_NE(message(model_of(DType::q4_0), screened()).find("q8_0 or q6_k, got"),
            std::string::npos);
  EXPECT_NE(message(model_of(DType::f16), screened()).find("from a matrix in q8_0 or q6_k"),
            std::string::npos);
  EngineOptions streamed = screened();
  streamed.stream = 1;
  EXPECT_NE(message(model_of(DType::q8_0), streamed).find("streamed"), std::string::npos);
}

}  // namespace
}  // namespace bantam
