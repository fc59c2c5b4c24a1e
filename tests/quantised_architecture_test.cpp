// Every decoder with quantised weights and caches: the same bits however its text is fed, up to the
// last token that its context has room for.
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "compress/quantize.h"
#include "eval/logits.h"
#include "tests/random_architecture.h"

namespace bantam {

using namespace test;

namespace {

constexpr int64_t kContext = 21;

// Three queries to a key, rows that are whole blocks of 32, and a vocabulary that is no multiple of
// anything.
std::shared_ptr<const Model> quantised(const Architecture& a, DType type) {
  const Sizes sizes{.width = 96,
                    .heads = 6,
                    .heads_kv = 2,
                    .head = 32,
                    .rotary = 16,
                    .vocabulary = 83,
                    .feed_forward = 160,
                    .expert_feed_forward = 64};
  Model model = model_with(config_of(a, sizes));
  model.config.context_length = kContext;
  QuantizeOptions options;
  options.type = type;
  return std::make_shared<Model>(quantize(model, options).model);
}

std::vector<int32_t> text() {
  std::vector<int32_t> ids;
  for (int32_t i = 0; i < kContext; ++i) ids.push_back(i * 31 % 83);
  return ids;
}

EngineOptions options(DType cache_type, int threads) {
  EngineOptions o;
  o.threads = threads;
  o.sequences = 2;
  o.cache_type = cache_type;
  o.all_logits = true;
  return o;
}

// The logits of text[first], ..., text[end - 1].
std::vector<float> feed(Engine& engine, int32_t sequence, int64_t first, int64_t end) {
  const std::vector<int32_t> ids = text();
  std::vector<Engine::Row> rows;
  for (int64_t i = first; i < end; ++i)
    rows.push_back({ids[static_cast<size_t>(i)], sequence, static_cast<int32_t>(i), true});
  std::vector<float> logits(rows.size() * static_cast<size_t>(engine.vocab_size()));
  engine.run(rows, logits);
  return logits;
}

std::vector<float> tail(const std::vector<float>& logits, int64_t rows, int64_t width) {
  return {logits.end() - rows * width, logits.end()};
}

class QuantisedDecoder : public testing::TestWithParam<const Architecture*> {};

TEST_P(QuantisedDecoder, GivesTheSameBitsWholeInPiecesAndForked) {
  for (const DType type : {DType::q4_0, DType::q8_0, DType::q5_1}) {
    const auto model = quantised(*GetParam(), type);
    for (const DType cache : {DType::f32, DType::f16, DType::q8_0, DType::q4_0}) {
      if (!can_cache(model->config, cache)) continue;
      SCOPED_TRACE(fmt::format("{} {}", dtype_info(type).name, dtype_info(cache).name));
      Engine engine(model, options(cache, 1)), other(model, options(cache, 3));
      const std::vector<float> whole = feed(engine, 0, 0, kContext);
      for (const float x : whole) ASSERT_TRUE(std::isfinite(x));
      for (int64_t i = 0; i < kContext; i += 3) {
        const int64_t left = kContext - i;
        EXPECT_EQ(feed(other, 0, i, i + 3),
                  tail({whole.begin(), whole.end() - (left - 3) * 83}, 3, 83));
      }
      feed(engine, 1, 0, 9);
      engine.copy(1, 0, 9);
      EXPECT_EQ(feed(engine, 0, 9, kContext), tail(whole, kContext - 9, 83)) << "forked";
      EXPECT_EQ(feed(engine, 1, 9, kContext), tail(whole, kContext - 9, 83)) << "forked from";
    }
  }
}

TEST_P(QuantisedDecoder, GivesTheBitsOfItsDequantisedWeightsWhereItsProductsAreExact) {
  const auto model = quantised(*GetParam(), DType::q4_0);
  Model plain = *model;
  for (auto& [name, w] : plain.weights)
    if (dtype_info(w.dtype()).quantized) w = w.to(DType::f32);
  Engine expected(std::make_shared<Model>(plain), options(DType::f32, 1));
  EngineOptions exact = options(DType::f32, 2);
  exact.exact = true;
  Engine engine(model, exact);
  EXPECT_EQ(feed(engine, 0, 0, kContext), feed(expected, 0, 0, kContext));
}

TEST_P(QuantisedDecoder, FillsItsContextToTheLastTokenAndNoFurther) {
  Engine engine(quantised(*GetParam(), DType::q4_0), options(DType::f16, 1));
  feed(engine, 0, 0, kContext);
  const Engine::Row more{1, 0, static_cast<int32_t>(kContext), true};
  std::vector<float> logits(83);
  try {
    engine.run(std::span(&more, 1), logits);
    FAIL() << "expected an error";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::usage);
    EXPECT_NE(std::string_view(e.what()).find("21"), std::string_view::npos) << e.what();
  }
}

INSTANTIATE_TEST_SUITE_P(Architectures, QuantisedDecoder, testing::ValuesIn(decoders()), name_of);

}  // namespace
}  // namespace bantam
