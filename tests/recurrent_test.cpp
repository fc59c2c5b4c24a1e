// What sessions do with models whose blocks carry a state, and with those that have none.
#include <gtest/gtest.h>

#include "base/error.h"
#include "runtime/session.h"
#include "shared_files.h"

namespace bantam {
namespace {

std::vector<int32_t> some_ids(int32_t first, int32_t n) {
  std::vector<int32_t> ids;
  for (int32_t i = 0; i < n; ++i) ids.push_back(((first + i) * 37 + 11) % 320);
  return ids;
}

std::vector<float> copy(std::span<const float> logits) {
  return {logits.begin(), logits.end()};
}

class SessionOf : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string path =
        test::shared_file(std::string("fixtures/architectures/") + GetParam() + ".gguf");
    BANTAM_NEED_SHARED(path);
    model_ = std::make_shared<Model>(load_model(path));
    engine_ = make_engine();
  }
  [[nodiscard]] std::shared_ptr<Engine> make_engine() const {
    EngineOptions options;
    options.sequences = 2;
    options.context = 64;
    options.threads = 2;
    return std::make_shared<Engine>(model_, options);
  }
  std::shared_ptr<const Model> model_;
  std::shared_ptr<Engine> engine_;
};

TEST_P(SessionOf, GoesOnFromASavedStateWithTheSameBits) {
  Session session(engine_);
  session.feed(some_ids(0, 9));
  const Session::Saved saved = session.save();
  const std::vector<float> expected = copy(session.feed(some_ids(9, 7)));

  Session fork(engine_, 1);
  fork.feed(some_ids(40, 5));
  fork.restore(saved);
  EXPECT_EQ(fork.tokens(), some_ids(0, 9));
  EXPECT_EQ(copy(fork.feed(some_ids(9, 7))), expected);

  Session elsewhere(make_engine());
  elsewhere.restore(saved);
  EXPECT_EQ(copy(elsewhere.feed(some_ids(9, 7))), expected);
}

TEST_P(SessionOf, RewindsToTheSameBits) {
  Session session(engine_);
  session.feed(some_ids(0, 8));
  const std::vector<float> expected = copy(session.feed(some_ids(8, 4)));
  session.feed(some_ids(30, 6));
  session.rewind(8);
  EXPECT_EQ(copy(session.feed(some_ids(8, 4))), expected);
  session.rewind(0);
  session.feed(some_ids(0, 8));
  EXPECT_EQ(copy(session.feed(some_ids(8, 4))), expected);
}

TEST_P(SessionOf, GivesTheSameBitsAloneAndInABatch) {
  Session alone(engine_);
  const std::vector<float> expected = copy(alone.feed(some_ids(0, 12)));
  const std::vector<int32_t> one = some_ids(0, 12), other = some_ids(50, 12);
  std::vector<float> logits(static_cast<size_t>(2 * engine_->vocab_size()));
  // Rows of both sequences in turns, in runs of three and nine tokens of each.
  for (const auto& [begin, end] : {std::pair(0, 3), std::pair(3, 12)}) {
    std::vector<Engine::Row> rows;
    for (int32_t i = begin; i < end; ++i) {
      const auto at = static_cast<size_t>(i);
      rows.push_back({one[at], 0, i, i == 11});
      rows.push_back({other[at], 1, i, i == 11});
    }
    engine_->run(rows, logits);
  }
  logits.resize(expected.size());
  EXPECT_EQ(logits, expected);
}

TEST(RecurrentEngine, RefusesToGoBack) {
  const std::string path = test::shared_file("fixtures/architectures/mamba.gguf");
  BANTAM_NEED_SHARED(path);
  EngineOptions options;
  options.context = 16;
  Engine engine(std::make_shared<Model>(load_model(path)), options);
  EXPECT_TRUE(engine.recurrent());
  std::vector<float> logits(static_cast<size_t>(engine.vocab_size()));
  const auto run = [&](int32_t position) {
    const Engine::Row row{3, 0, position, true};
    engine.run(std::span(&row, 1), logits);
  };
  run(0);
  run(1);
  EXPECT_THROW(run(1), Error);
  EXPECT_THROW(run(5), Error);
  EXPECT_THROW((void)engine.save(0, 1), Error);
  run(2);
  run(0);
  run(1);
}

INSTANTIATE_TEST_SUITE_P(Fixtures, SessionOf,
                         testing::Values("llama", "mixtral", "qwen2moe", "mamba", "mamba2", "jamba",
                                         "granitehybrid", "falcon-h1", "lfm2"),
                         [](const auto& param) {
                           std::string name = param.param;
                           std::erase(name, '-');
                           return name;
                         });

}  // namespace
}  // namespace bantam
