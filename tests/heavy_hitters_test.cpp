// Caches that keep what had most attention: whatever they keep does not depend on how a text came
// to be read, and it is what the paper says.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "graph/op.h"
#include "runtime/session.h"
#include "tests/engine_feed.h"
#include "tests/tiny_model.h"

namespace bantam {
namespace {

constexpr int64_t kContext = 512;

ModelConfig config_of(int64_t window) {
  ModelConfig config = tiny_config();
  config.context_length = kContext;
  config.window = window;
  config.window_period = 2;
  return config;
}

EngineOptions options_of(DType type, int64_t sequences = 1, int64_t batch = 64) {
  EngineOptions o;
  o.threads = 2;
  o.sequences = sequences;
  o.batch = batch;
  o.cache_type = type;
  o.cache_window = 50;
  o.cache_heavy = 40;
  return o;
}

struct Kind {
  DType type;
  int64_t window;  // that every other block of the model has
};

class HeavyCache : public testing::TestWithParam<Kind> {
 protected:
  [[nodiscard]] static EngineOptions options(int64_t sequences = 1, int64_t batch = 64) {
    return options_of(GetParam().type, sequences, batch);
  }
  // The logits after so many tokens, read alone.
  [[nodiscard]] std::vector<float> expected(int64_t length) const {
    Engine engine(model_, options(1, kContext));
    return feed(engine, 0, ids_, 0, length, kContext);
  }
  std::shared_ptr<const Model> model_ = tiny_model(DType::q8_0, 1, config_of(GetParam().window));
  std::vector<int32_t> ids_ = text(kContext, 3);
};

TEST_P(HeavyCache, GivesTheSameBitsForEverySplitAndThreadCount) {
  const std::vector<float> whole = expected(400);
  for (const int64_t batch : {200, 64, 7, 1})
    for (const int threads : {1, 3}) {
      EngineOptions o = options(1, batch);
      o.threads = threads;
      Engine engine(model_, o);
      EXPECT_EQ(feed(engine, 0, ids_, 0, 400, batch), whole) << batch;
    }
}

TEST_P(HeavyCache, GivesTheSameBitsToForks) {
  const std::vector<int32_t> other = text(kContext, 4);
  for (const int64_t parting : {130, 256}) {  // amid a page, and where something is let go
    Engine engine(model_, options(3));
    feed(engine, 0, ids_, 0, parting);
    engine.copy(0, 1, parting);
    engine.copy(1, 2, parting);
    feed(engine, 0, other, parting, 400);  // goes its own way
    EXPECT_EQ(feed(engine, 2, ids_, parting, 400), expected(400));
    EXPECT_EQ(feed(engine, 1, ids_, parting, 400, 1), expected(400));
  }
}

TEST_P(HeavyCache, GivesTheSameBitsInABatchOfManyTexts) {
  Engine engine(model_, options(3, 192));
  const std::vector<int32_t> others[] = {text(kContext, 5), ids_, text(kContext, 6)};
  // They stand at different places, so that they are cut at different rows.
  const int32_t begin[] = {37, 0, 11};
  feed(engine, 0, others[0], 0, begin[0]);
  feed(engine, 2, others[2], 0, begin[2]);
  const auto V = engine.vocab_size();
  std::vector<float> logits(static_cast<size_t>(3 * V));
  for (int32_t at = 0; at < 300; at += 50) {
    std::vector<Engine::Row> rows;
    for (int32_t i = at; i < at + 50; ++i)
      for (int32_t s = 0; s < 3; ++s) {
        const int32_t position = begin[s] + i;
        rows.push_back({others[s][static_cast<size_t>(position)], s, position, i == at + 49});
      }
    engine.run(rows, logits);
  }
  EXPECT_EQ(std::vector<float>(logits.begin() + V, logits.begin() + 2 * V), expected(300));
}

TEST_P(HeavyCache, GoesOnFromSavedMemoryWithTheSameBits) {
  for (const int64_t length : {100, 320, 333}) {
    Engine engine(model_, options());
    feed(engine, 0, ids_, 0, length);
    const Engine::Memory memory = engine.save(0, length);
    Engine other(model_, options(2, 16));
    feed(other, 0, text(kContext, 7), 0, 120, 16);
    feed(other, 1, text(kContext, 8), 0, 400, 16);
    other.restore(1, memory);
    EXPECT_EQ(feed(other, 1, ids_, length, 450, 16), expected(450)) << length;
    Engine::Memory cut = memory;
    cut.bytes.pop_back();
    EXPECT_EQ(error_of([&] { other.restore(1, cut); }), ErrorKind::usage);
  }
}

TEST_P(HeavyCache, ReadsAgainWhereItCannotGoBack) {
  const auto engine = std::make_shared<Engine>(model_, options(2));
  Session session(engine);
  session.feed(std::span(ids_).first(300));
  EXPECT_FALSE(engine->can_go_on(0, 299));
  EXPECT_EQ(error_of([&] { feed(*engine, 0, ids_, 100, 101); }), ErrorKind::usage);
  session.rewind(150);
  const auto logits = session.feed(std::span(ids_).first(310).subspan(150));
  EXPECT_EQ(std::vector<float>(logits.begin(), logits.end()), expected(310));
  Session second(engine, 1);  // goes on from the end of what another one has
  EXPECT_EQ(second.share_prefix(std::span(ids_).first(400)), 310);
  const auto last = second.feed(std::span(ids_).first(400).subspan(310));
  EXPECT_EQ(std::vector<float>(last.begin(), last.end()), expected(400));
}

TEST_P(HeavyCache, LeavesTextsAsTheyAreThatItHasRoomFor) {
  EngineOptions all = options(), roomy = options();
  all.cache_window = all.cache_heavy = 0;
  roomy.cache_window = 200;
  Engine plain(model_, all), heavy(model_, roomy);
  EXPECT_EQ(feed(heavy, 0, ids_, 0, 256), feed(plain, 0, ids_, 0, 256));
  EXPECT_NE(feed(heavy, 0, ids_, 256, 257), feed(plain, 0, ids_, 256, 257));
}

INSTANTIATE_TEST_SUITE_P(Kinds, HeavyCache,
                         testing::Values(Kind{DType::f16, 0}, Kind{DType::q4_0, 0},
                                         Kind{DType::f32, 70}),
                         [](const auto& test) {
                           return std::string(dtype_info(test.param.type).name) +
                                  (test.param.window > 0 ? "_windowed" : "");
                         });

// What a cache of f32 holds of one text, kept by the formulas of the paper in double precision.
class Oracle {
 public:
  using Rows = std::vector<std::vector<double>>;
  struct Head {
    Rows keys, values;
    std::vector<double> masses;
  };

  explicit Oracle(HeavyHitters heavy) : heavy_(heavy) {}
  static void observe(void* self, const Executor::Observation& step) {
    if (step.node.op->name == "attention") static_cast<Oracle*>(self)->attend(step);
  }
  int64_t decisions = 0;

 private:
  // Row by row: the new cell, the probabilities; then what the engine's cache has.
  void attend(const Executor::Observation& step) {
    const TensorView &q = step.inputs[0], &k = step.inputs[1], &v = step.inputs[2];
    const auto* slots = step.inputs[4].as<int32_t>();
    const auto* pages = step.inputs[5].as<int32_t>();
    const int64_t rows = q.shape[0], H = q.shape[1], D = q.shape[2], K = k.shape[1];
    if (block_ == 2) block_ = 0;
    std::vector<Head>& heads = blocks_[block_++];
    heads.resize(static_cast<size_t>(K));
    const auto page_cell = [&](int64_t slot, int64_t head) {
      return (pages[slot / kPageCells] * K + head) * kPageCells + slot % kPageCells;
    };
    const auto key = [&](int64_t slot, int64_t head) {
      const int64_t cell = page_cell(slot, head), lane = cell % kInterleavedRows;
      std::vector<double> x;
      for (int64_t d = 0; d < D; ++d)
        x.push_back(k.as<float>()[(cell - lane) * D + d * kInterleavedRows + lane]);
      return x;
    };
    const auto value = [&](int64_t slot, int64_t head) {
      const float* x = v.as<float>() + page_cell(slot, head) * D;
      return std::vector<double>(x, x + D);
    };
    for (int64_t kv = 0; kv < K; ++kv) {
      Head& head = heads[static_cast<size_t>(kv)];
      if (slots[0] == heavy_.kept() && static_cast<int64_t>(head.keys.size()) > slots[0])
        evict(head);
      ASSERT_EQ(static_cast<int64_t>(head.keys.size()), slots[0]);
      for (int64_t n = 0; n < rows; ++n) {
        head.keys.push_back(key(slots[n], kv));
        head.values.push_back(value(slots[n], kv));
        head.masses.push_back(0);
        for (int64_t h = kv * H / K; h < (kv + 1) * H / K; ++h)
          add_probabilities(q.as<float>() + (n * H + h) * D, step.node.attributes.real("scale"),
                            head);
      }
      for (size_t slot = 0; slot < head.keys.size(); ++slot) {
        ASSERT_EQ(head.keys[slot], key(static_cast<int64_t>(slot), kv)) << slot;
        ASSERT_EQ(head.values[slot], value(static_cast<int64_t>(slot), kv)) << slot;
      }
    }
  }

  static void add_probabilities(const float* q, double scale, Head& head) {
    std::vector<double> p;
    double sum = 0;
    for (const std::vector<double>& key : head.keys) {
      double score = 0;
      for (size_t d = 0; d < key.size(); ++d) score += q[d] * key[d];
      p.push_back(std::exp(scale * score));
      sum += p.back();
    }
    for (size_t i = 0; i < p.size(); ++i) head.masses[i] += p[i] / sum;
  }

  // One at a time the least of those before the window goes.
  void evict(Head& head) {
    ++decisions;
    while (static_cast<int64_t>(head.keys.size()) > heavy_.kept()) {
      const auto least = std::min_element(head.masses.begin(), head.masses.end() - heavy_.window);
      const auto at = least - head.masses.begin();
      head.keys.erase(head.keys.begin() + at);
      head.values.erase(head.values.begin() + at);
      head.masses.erase(least);
    }
  }

  HeavyHitters heavy_;
  std::vector<Head> blocks_[2];
  size_t block_ = 0;
};

TEST(HeavyCacheOfF32, HoldsTheLargestSumsOfProbabilitiesInDoublePrecision) {
  Engine engine(tiny_model(DType::f32, 1, config_of(0)), options_of(DType::f32));
  Oracle oracle({engine.options().cache_heavy, engine.options().cache_window});
  engine.observe(Oracle::observe, &oracle);
  feed(engine, 0, text(kContext, 12), 0, 400, 30);
  EXPECT_EQ(oracle.decisions, 2 * 2 * 5);  // blocks, heads, positions 128 to 384
}

// A model of one block, all of whose tokens look for token 7 (channel 0 of keys, which is not
// rotated) and pass on what they find there.
std::shared_ptr<const Model> needle_model() {
  ModelConfig config = config_of(0);
  config.block_count = 1;
  config.rope_dims = 32;
  const auto model = std::make_shared<Model>(*tiny_model(DType::f32, 1, config));
  const auto set = [&](const char* name, int64_t row, int64_t column, float value) {
    const Tensor& w = model->weights.at(name);
    w.as<float>()[row * w.shape()[1] + column] = value;
  };
  constexpr int64_t kAny = 254, kNeedle = 255, kChannel = 40;  // channels of embeddings, of heads
  for (int64_t token = 0; token < config.vocab_size; ++token) {
    set("token_embd.weight", token, kAny, 0.3f);
    set("token_embd.weight", token, kNeedle, token == 7 ? 1.0f : 0.0f);
  }
  for (int64_t head = 0; head < config.head_count; ++head)
    set("blk.0.attn_q.weight", head * config.head_size + kChannel, kAny, 6);
  for (int64_t head = 0; head < config.head_count_kv; ++head)
    set("blk.0.attn_k.weight", head * config.head_size + kChannel, kNeedle, 3);
  return model;
}

TEST(HeavyCacheOfF32, KeepsANeedleThatAWindowLoses) {
  const auto model = needle_model();
  std::vector<int32_t> ids = text(kContext, 13);
  std::replace(ids.begin(), ids.end(), 7, 8);
  ids[100] = 7;
  const auto after = [&](int64_t window, int64_t heavy, int64_t sinks) {
    EngineOptions o = options_of(DType::f32);
    o.cache_window = window;
    o.cache_heavy = heavy;
    o.cache_sinks = sinks;
    Engine engine(model, o);
    return feed(engine, 0, ids, 0, 400);
  };
  const std::vector<float> all = after(0, 0, 0);
  const auto error = [&](const std::vector<float>& logits) {
    double sum = 0;
    for (size_t i = 0; i < all.size(); ++i) sum += std::pow(logits[i] - all[i], 2);
    return std::sqrt(sum);
  };
  const double heavy = error(after(32, 32, 0)), window = error(after(128, 0, 0)),
               sinks = error(after(64, 0, 64));
  EXPECT_LT(5 * heavy, window);
  EXPECT_LT(5 * heavy, sinks);
}

TEST(HeavyCacheOfF16, TakesNoMoreMemoryThanItKeeps) {
  const auto model = tiny_model(DType::q8_0, 1, config_of(0));
  // 40 + 50 + 64 in whole pages: keys and values of 2 blocks with 2 heads of 64, and masses.
  const int64_t cells = 192, bytes = 2 * 2 * (2 * 64 * 2 + 4);
  EXPECT_EQ(plan_memory(*model, options_of(DType::f16, 3)).cache, 3 * cells * bytes);
}

TEST(HeavyCacheOfF16, IsRefusedWhereThereIsNothingToCount) {
  const auto refusal = [](const std::shared_ptr<const Model>& model, const EngineOptions& o) {
    try {
      const Engine engine(model, o);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::usage);
      return std::string(e.what());
    }
    return std::string();
  };
  const auto model = tiny_model(DType::q8_0, 1, config_of(0));
  EngineOptions o = options_of(DType::f16);
  o.cache_window = 0;
  EXPECT_NE(refusal(model, o).find("expected a cache window"), std::string::npos);
  o = options_of(DType::f16);
  o.cache_cells = 128;
  EXPECT_NE(refusal(model, o).find("got 128 cells"), std::string::npos);
  o = options_of(DType::f16);
  const auto mamba = tiny_model(DType::f32, 1, tiny_decoder_config("mamba"));
  EXPECT_NE(refusal(mamba, o).find("got \"mamba\""), std::string::npos) << refusal(mamba, o);
  ModelConfig windowed = config_of(70);
  windowed.window_period = 0;  // of all blocks
  EXPECT_NE(refusal(tiny_model(DType::q8_0, 1, windowed), o).find("all of a text"),
            std::string::npos);
}

}  // namespace
}  // namespace bantam
