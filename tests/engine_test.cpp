#include <gtest/gtest.h>

#include <cstring>

#include "base/error.h"
#include "base/random.h"
#include "runtime/session.h"
#include "tests/tiny_model.h"

// Rule 1 of the design: what a token's logits are does not depend on threads, on how the text was
// split into runs, or on what else is in the batch.

namespace bantam {
namespace {

std::vector<int32_t> text(int64_t n, uint64_t seed, int64_t vocabulary) {
  Random random(seed);
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < n; ++i) {
    ids.push_back(static_cast<int32_t>(random.below(static_cast<uint32_t>(vocabulary))));
  }
  return ids;
}

// Logits of every position, fed in pieces.
std::vector<float> logits_of(const std::shared_ptr<const Model>& model, int threads, int64_t piece,
                             const std::vector<int32_t>& ids) {
  EngineOptions options;
  options.threads = threads;
  options.all_logits = true;
  Engine engine(model, options);
  std::vector<float> all;
  for (size_t begin = 0; begin < ids.size(); begin += static_cast<size_t>(piece)) {
    const size_t end = std::min(ids.size(), begin + static_cast<size_t>(piece));
    std::vector<Engine::Row> rows;
    for (size_t i = begin; i < end; ++i) rows.push_back({ids[i], 0, static_cast<int32_t>(i), true});
    std::vector<float> logits((end - begin) * static_cast<size_t>(engine.vocab_size()));
    engine.run(rows, logits);
    all.insert(all.end(), logits.begin(), logits.end());
  }
  return all;
}

void expect_same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  ASSERT_EQ(a.size(), b.size());
  EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size() * sizeof(float)), 0);
}

class EveryType : public testing::TestWithParam<DType> {};

TEST_P(EveryType, GivesTheSameBitsForAnyThreadsAndSplit) {
  const auto model = tiny_model(GetParam());
  const auto ids = text(100, 5, model->config.vocab_size);
  const auto expected = logits_of(model, 1, 100, ids);
  for (const int threads : {1, 2, 4}) {
    for (const int64_t piece : {1, 7, 64}) {
      SCOPED_TRACE(fmt::format("{} threads, pieces of {}", threads, piece));
      expect_same_bits(expected, logits_of(model, threads, piece, ids));
    }
  }
}

TEST_P(EveryType, GivesTheSameBitsAloneAndInABatch) {
  const auto model = tiny_model(GetParam());
  const auto mine = text(40, 6, model->config.vocab_size);
  const auto other = text(40, 7, model->config.vocab_size);
  const auto expected = logits_of(model, 1, 40, mine);
  EngineOptions options;
  options.threads = 2;
  options.sequences = 3;
  options.all_logits = true;
  Engine engine(model, options);
  const auto vocabulary = static_cast<size_t>(engine.vocab_size());
  std::vector<float> got;
  for (size_t i = 0; i < mine.size(); ++i) {
    const auto at = static_cast<int32_t>(i);
    const Engine::Row rows[] = {
        {other[i], 2, at, true}, {mine[i], 1, at, true}, {other[i], 0, at, true}};
    std::vector<float> logits(3 * vocabulary);
    engine.run(rows, logits);
    got.insert(got.end(), logits.begin() + static_cast<int64_t>(vocabulary),
               logits.begin() + static_cast<int64_t>(2 * vocabulary));
  }
  expect_same_bits(expected, got);
}

INSTANTIATE_TEST_SUITE_P(Engine, EveryType,
                         testing::Values(DType::f32, DType::f16, DType::bf16, DType::q8_0,
                                         DType::q4_0, DType::q4_1, DType::q4_k, DType::q5_k,
                                         DType::q6_k, DType::q5_0, DType::q5_1, DType::q2_k,
                                         DType::q3_k, DType::tq1_0, DType::tq2_0, DType::iq4_nl,
                                         DType::iq4_xs, DType::mxfp4, DType::iq2_xxs, DType::iq2_xs,
                                         DType::iq2_s, DType::iq3_xxs, DType::iq3_s, DType::iq1_s,
                                         DType::iq1_m),
                         [](const auto& test) { return std::string(dtype_info(test.param).name); });

TEST(Engine, RefusesIdsOutsideTheVocabularyAndPositionsOutsideTheContext) {
  const auto model = tiny_model(DType::f32);
  Engine engine(model);
  std::vector<float> logits(static_cast<size_t>(engine.vocab_size()));
  const Engine::Row bad_token[] = {{9999, 0, 0, true}};
  const Engine::Row bad_position[] = {{1, 0, 4096, true}};
  EXPECT_THROW(engine.run(bad_token, logits), Error);
  EXPECT_THROW(engine.run(bad_position, logits), Error);
}

TEST(Session, TooLongATextNamesBothLengths) {
  const auto model = tiny_model(DType::f32);
  Session session(std::make_shared<Engine>(model));
  try {
    session.feed(text(300, 1, model->config.vocab_size));
    FAIL() << "expected an error";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(e.what()).find("128"), std::string::npos) << e.what();
    EXPECT_NE(std::string(e.what()).find("300"), std::string::npos) << e.what();
  }
}

TEST(Session, TheSameSeedGivesTheSameTokens) {
  const auto model = tiny_model(DType::q8_0);
  GenerateOptions options;
  options.max_tokens = 20;
  options.sampler.seed = 42;
  const auto prompt = text(5, 2, model->config.vocab_size);
  const auto generate = [&](int threads) {
    EngineOptions e;
    e.threads = threads;
    Session session(std::make_shared<Engine>(model, e));
    return session.generate(prompt, options).tokens;
  };
  EXPECT_EQ(generate(1), generate(2));
}

TEST(Session, RewindingAndFeedingAgainGivesTheSameLogits) {
  const auto model = tiny_model(DType::q4_k);
  const auto ids = text(30, 2, model->config.vocab_size);
  Session session(std::make_shared<Engine>(model));
  const auto first = session.feed(ids);
  const std::vector<float> expected(first.begin(), first.end());
  session.rewind(11);
  const auto again = session.feed(std::span(ids).subspan(11));
  expect_same_bits(expected, std::vector<float>(again.begin(), again.end()));
}

TEST(Engine, BlocksOfKeysAndValuesAreCloseToTheirFloats) {
  const auto model = tiny_model(DType::q8_0);
  const auto ids = text(40, 2, model->config.vocab_size);
  const auto logits = [&](DType type, int64_t split) {
    EngineOptions options;
    options.cache_type = type;
    Session session(std::make_shared<Engine>(model, options));
    session.feed(std::span(ids).first(static_cast<size_t>(split)));
    const auto last = session.feed(std::span(ids).subspan(static_cast<size_t>(split)));
    return std::vector<float>(last.begin(), last.end());
  };
  const auto distance = [](const std::vector<float>& a, const std::vector<float>& b) {
    double most = 0;
    for (size_t i = 0; i < a.size(); ++i)
      most = std::max(most, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    return most;
  };
  const std::vector<float> floats = logits(DType::f32, 17);
  const auto [least, most] = std::minmax_element(floats.begin(), floats.end());
  const double range = static_cast<double>(*most) - static_cast<double>(*least);
  EXPECT_LT(distance(logits(DType::q8_0, 17), floats), 0.02 * range);
  EXPECT_LT(distance(logits(DType::q4_0, 17), floats), 0.2 * range);
  for (const DType type : {DType::q8_0, DType::q4_0}) {
    expect_same_bits(logits(type, 17), logits(type, 39));
  }
  EngineOptions half, quarter;
  half.cache_type = DType::q8_0;
  quarter.cache_type = DType::q4_0;
  const auto bytes = [&](const EngineOptions& o) { return plan_memory(*model, o).cache; };
  EXPECT_EQ(bytes(half) * 32, bytes({}) / 2 * 34);
  EXPECT_EQ(bytes(quarter) * 32, bytes({}) / 2 * 18);
}

TEST(Engine, PlannedMemoryIsWhatTheGraphNeedsAtItsLimits) {
  const auto model = tiny_model(DType::q4_0);
  Engine engine(model);
  EXPECT_EQ(engine.memory().weights, model->weight_bytes());
  const ModelConfig& c = model->config;
  EXPECT_EQ(engine.memory().cache,
            2 * c.block_count * c.context_length * c.head_count_kv * c.head_size * 2);
  // What the process holds besides has changed since: the engine is there now.
  const auto own = [](const MemoryPlan& m) { return m.total() - m.process; };
  EXPECT_EQ(own(plan_memory(*model, {})), own(engine.memory()));
}

}  // namespace
}  // namespace bantam
