// Keys and values in pages: whichever pages a text lies in, and whoever else looks at them, its
// logits have the same bits.
#include <gtest/gtest.h>

#include <cstring>

#include "base/error.h"
#include "base/random.h"
#include "cpu/backend.h"
#include "graph/op.h"
#include "runtime/session.h"
#include "tests/engine_feed.h"
#include "tests/tiny_model.h"

namespace bantam {
namespace {

constexpr int64_t kContext = 512;

// What blocks see: all of the text, in every other block a window, or what a limit leaves.
struct Kind {
  const char* name;
  int64_t window, cache_window;
};

std::shared_ptr<const Model> model_of(const Kind& kind) {
  ModelConfig config = tiny_config();
  config.context_length = kContext;
  config.window = kind.window;
  config.window_period = 2;
  return tiny_model(DType::q8_0, 1, config);
}

EngineOptions options_of(const Kind& kind, int64_t sequences = 1, int64_t batch = 64) {
  EngineOptions o;
  o.threads = 2;
  o.sequences = sequences;
  o.batch = batch;
  o.cache_window = kind.cache_window;
  return o;
}

class PagedCache : public testing::TestWithParam<Kind> {
 protected:
  PagedCache() : model_(model_of(GetParam())), ids_(text(kContext, 3)) {}
  [[nodiscard]] EngineOptions options(int64_t sequences = 1, int64_t batch = 64) const {
    return options_of(GetParam(), sequences, batch);
  }
  // Whether what a text began with is not there any more after a while.
  static bool forgets() { return GetParam().window > 0 || GetParam().cache_window > 0; }
  // The logits after so many tokens, read alone.
  [[nodiscard]] std::vector<float> expected(int64_t length) const {
    Engine engine(model_, options());
    return feed(engine, 0, ids_, 0, length);
  }
  std::shared_ptr<const Model> model_;
  std::vector<int32_t> ids_;
};

TEST_P(PagedCache, GivesTheSameBitsForEverySplit) {
  const std::vector<float> whole = expected(400);
  for (const int64_t batch : {400, 64, 7, 1}) {
    Engine engine(model_, options(1, batch));
    EXPECT_EQ(feed(engine, 0, ids_, 0, 400, batch), whole) << batch;
  }
}

TEST_P(PagedCache, GivesTheSameBitsToForks) {
  const std::vector<int32_t> other = text(kContext, 4);
  Engine engine(model_, options(4));
  feed(engine, 0, ids_, 0, 300);
  engine.copy(0, 1, 300);
  engine.copy(0, 2, 290);
  engine.copy(1, 3, 300);
  feed(engine, 0, other, 300, 320, 1);  // goes its own way
  EXPECT_EQ(feed(engine, 2, ids_, 290, 400), expected(400));
  EXPECT_EQ(feed(engine, 1, ids_, 300, 400, 1), expected(400));
  engine.copy(3, 0, 300);
  EXPECT_EQ(feed(engine, 0, ids_, 300, 310), expected(310));
}

TEST_P(PagedCache, GivesTheSameBitsInABatchOfManyTexts) {
  Engine engine(model_, options(3));
  const std::vector<int32_t> others[] = {text(kContext, 5), ids_, text(kContext, 6)};
  std::vector<float> logits(static_cast<size_t>(3 * engine.vocab_size()));
  for (int32_t at = 0; at < 200; at += 20) {
    std::vector<Engine::Row> rows;
    for (int32_t i = at; i < at + 20; ++i)
      for (int32_t s = 0; s < 3; ++s)
        rows.push_back({others[s][static_cast<size_t>(i)], s, i, i == at + 19});
    engine.run(rows, logits);
  }
  const auto V = engine.vocab_size();
  EXPECT_EQ(std::vector<float>(logits.begin() + V, logits.begin() + 2 * V), expected(200));
}

TEST_P(PagedCache, GoesOnFromSavedMemoryWithTheSameBits) {
  Engine engine(model_, options());
  feed(engine, 0, ids_, 0, 333);
  const Engine::Memory memory = engine.save(0, 333);
  Engine other(model_, options(2, 16));
  feed(other, 0, text(kContext, 7), 0, 120, 16);
  other.restore(1, memory);
  EXPECT_EQ(feed(other, 1, ids_, 333, 400, 16), expected(400));
  Engine::Memory cut = memory;
  cut.bytes.pop_back();
  EXPECT_EQ(error_of([&] { other.restore(1, cut); }), ErrorKind::usage);
}

TEST_P(PagedCache, RewindsToTheSameBits) {
  const auto engine = std::make_shared<Engine>(model_, options());
  Session session(engine);
  session.feed(std::span(ids_).first(450));
  EXPECT_TRUE(engine->can_go_on(0, 449));
  EXPECT_EQ(engine->can_go_on(0, 100), !forgets());
  if (forgets()) {
    EXPECT_EQ(error_of([&] { feed(*engine, 0, ids_, 100, 101); }), ErrorKind::usage);
    EXPECT_EQ(error_of([&] { (void)engine->save(0, 100); }), ErrorKind::usage);
  }
  for (const int64_t length : {440, 150, 20}) {
    session.rewind(length);
    EXPECT_EQ(session.position(), length);
    const auto logits =
        session.feed(std::span(ids_).first(451).subspan(static_cast<size_t>(length)));
    EXPECT_EQ(std::vector<float>(logits.begin(), logits.end()), expected(451)) << length;
  }
}

TEST_P(PagedCache, SharesPrefixes) {
  const auto engine = std::make_shared<Engine>(model_, options(3));
  Session first(engine, 0), second(engine, 1), third(engine, 2);
  first.feed(std::span(ids_).first(200));
  std::vector<int32_t> other = text(kContext, 8);
  std::copy_n(ids_.begin(), 150, other.begin());
  // A window of 100 is all that is left of the text, but its end is where another would go on.
  EXPECT_EQ(second.share_prefix(std::span(ids_).first(300)), 200);
  EXPECT_EQ(second.tokens(), first.tokens());
  const auto logits = second.feed(std::span(ids_).subspan(200, 100));
  EXPECT_EQ(std::vector<float>(logits.begin(), logits.end()), expected(300));
  const int64_t shared = third.share_prefix(other);
  EXPECT_TRUE(shared == 150 || (forgets() && shared == 0)) << shared;
  const auto last = third.feed(std::span(other).subspan(static_cast<size_t>(shared)).first(50));
  Engine alone(model_, options());
  EXPECT_EQ(std::vector<float>(last.begin(), last.end()), feed(alone, 0, other, 0, shared + 50));
  // All of a text that is there but for its last token, whose logits are wanted.
  Session again(engine, 2);
  EXPECT_EQ(again.share_prefix(std::span(ids_).first(300)), 299);
}

INSTANTIATE_TEST_SUITE_P(Kinds, PagedCache,
                         testing::Values(Kind{"plain", 0, 0}, Kind{"windowed", 100, 0},
                                         Kind{"limited", 0, 130}, Kind{"both", 70, 200}),
                         [](const auto& test) { return test.param.name; });

TEST(PagesOfACache, RunOutWithAnErrorThatLosesNothing) {
  const Kind plain{"plain", 0, 0};
  const auto model = model_of(plain);
  EngineOptions options = options_of(plain, 2);
  options.cache_cells = 192;
  Engine engine(model, options), roomy(model, options_of(plain, 2));
  const std::vector<int32_t> one = text(300, 1), other = text(300, 2);
  feed(engine, 0, one, 0, 100);
  feed(engine, 1, other, 0, 64);
  feed(roomy, 0, one, 0, 100);
  try {
    feed(engine, 1, other, 64, 80);
    FAIL() << "expected an error";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::resource);
    EXPECT_NE(std::string(e.what()).find("4 pages"), std::string::npos) << e.what();
    EXPECT_NE(std::string(e.what()).find("got 3"), std::string::npos) << e.what();
  }
  EXPECT_EQ(feed(engine, 0, one, 100, 128), feed(roomy, 0, one, 100, 128));
  engine.truncate(0, 10);
  feed(roomy, 1, other, 0, 64);
  EXPECT_EQ(feed(engine, 1, other, 64, 80), feed(roomy, 1, other, 64, 80));
}

TEST(PagesOfACache, AreAsManyAsWindowsNeed) {
  const auto bytes = [](const Kind& kind, int64_t sequences) {
    return plan_memory(*model_of(kind), options_of(kind, sequences)).cache;
  };
  const int64_t cell = 2 * 2 * 64 * 2;  // keys and values, 2 heads of 64, f16: of one block
  EXPECT_EQ(bytes({"", 0, 0}, 3), 3 * cell * 2 * kContext);
  // 100 - 1 + 64 in whole pages and one more.
  EXPECT_EQ(bytes({"", 100, 0}, 3), 3 * cell * (kContext + 256));
  EXPECT_EQ(bytes({"", 100, 100}, 3), 3 * cell * (256 + 256 + 64));
}

TEST(PagesOfACache, LimitedToAWindowAreThoseOfAModelWithIt) {
  ModelConfig config = tiny_config();
  config.context_length = kContext;
  const auto plain = tiny_model(DType::q8_0, 1, config);
  config.window = 90;
  const auto windowed = tiny_model(DType::q8_0, 1, config);
  const std::vector<int32_t> ids = text(400, 9);
  EngineOptions options = options_of({"", 0, 90});
  options.cache_sinks = 0;
  Engine limited(plain, options), reference(windowed, options_of({"", 0, 0}));
  EXPECT_EQ(feed(limited, 0, ids, 0, 400), feed(reference, 0, ids, 0, 400));
  options.cache_sinks = 1;
  Engine kept(plain, options);
  EXPECT_EQ(kept.options().cache_sinks, 64);
  EXPECT_NE(feed(kept, 0, ids, 0, 400), feed(reference, 0, ids, 0, 400));
}

// What is kept beside a window, against the mask of the op's fallback.
TEST(PagesOfACache, LeaveWhatTheMaskOfTheFallbackLeaves) {
  Graph g;
  const Value q = g.input("q", {DType::f32, {3, 2, 16}});
  const Value k = g.input("k", {DType::f32, {2, 200, 1, 16}});
  const Value v = g.input("v", {DType::f32, {2, 200, 1, 16}});
  const Value sequences = g.input("sequences", {DType::i32, {3}});
  const Value positions = g.input("positions", {DType::i32, {3}});
  const Value out =
      ops::attention(g, q, k, v, sequences, positions, {.scale = 0.25, .window = 30, .keep = 64});
  g.output("fused", out);
  g.output("plain", find_op("attention")->fallback(g, Node(g.node(out.node)))[0]);
  ThreadPool pool(1);
  Executor executor(std::make_shared<Plan>(g, cpu_backend(), std::vector<int64_t>{}, 1), pool);
  Random random(5);
  const auto bind = [&](const char* name, const Shape& shape) {
    Tensor t = Tensor::zeros(DType::f32, shape);
    for (int64_t i = 0; i < shape.elements(); ++i) t.as<float>()[i] = 2 * random.normal();
    executor.bind(name, t.view());
    return t;
  };
  const Tensor tensors[] = {bind("q", {3, 2, 16}), bind("k", {2, 200, 1, 16}),
                            bind("v", {2, 200, 1, 16})};
  int32_t rows[] = {0, 1, 1}, last[] = {199, 120, 50};
  executor.bind("sequences", {DType::i32, {3}, rows});
  executor.bind("positions", {DType::i32, {3}, last});
  executor.run();
  const TensorView fused = executor.output("fused"), plain = executor.output("plain");
  for (int64_t i = 0; i < fused.shape.elements(); ++i)
    EXPECT_NEAR(fused.as<float>()[i], plain.as<float>()[i], 1e-5);
}

}  // namespace
}  // namespace bantam
