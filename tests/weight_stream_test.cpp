// Models whose weights stay in their file.
#include "runtime/weight_stream.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.h"
#include "base/sanitizers.h"
#include "models/random_model.h"
#include "runtime/engine_plans.h"
#include "runtime/memory_fit.h"
#include "runtime/pack.h"
#include "runtime/session.h"

namespace bantam {
namespace {

class WeightStreaming : public testing::TestWithParam<bool> {
 protected:
  // Matrices are large enough to be streamed; `packed`: as the kernels read them.
  void SetUp() override {
    ModelConfig c = known_shape("stories15m");
    c.vocab_size = 1000;
    c.block_count = 24;
    const Model model = random_model(c, [](const WeightShape&) { return DType::q8_0; });
    ThreadPool pool(2);
    save_model(GetParam() ? pack_model(model, pool) : model, path_);
    model_ = std::make_shared<const Model>(load_model(path_));
    options_.context = 64;
    options_.batch = 4;
    options_.threads = 2;
  }
  void TearDown() override { std::filesystem::remove(path_); }

  // Of a prompt in several runs, then of single tokens.
  std::vector<float> logits(int64_t stream) const {
    EngineOptions o = options_;
    o.stream = stream;
    Session session(std::make_shared<Engine>(model_, o));
    std::vector<float> all;
    for (const std::vector<int32_t>& ids :
         {std::vector<int32_t>{5, 17, 300, 0, 44, 44, 9}, {1}, {999}, {2}}) {
      const auto last = session.feed(ids);
      all.insert(all.end(), last.begin(), last.end());
    }
    return all;
  }

  std::string path_ = fmt::format("{}/bantam_stream_{}.gguf", testing::TempDir(), getpid());
  std::shared_ptr<const Model> model_;
  EngineOptions options_;
};

TEST_P(WeightStreaming, GivesTheSameBits) {
  const std::vector<float> expected = logits(0);
  const int64_t least = least_stream(*model_, options_);
  for (const int64_t window : {int64_t{1}, least + 1000, 2 * least, int64_t{1} << 40}) {
    EXPECT_EQ(logits(window), expected) << window;
  }
}

TEST_P(WeightStreaming, IsWhatIsLeftWhenNoBatchFitsTheMemory) {
  if (kSanitized)
    GTEST_SKIP() << "missing: a build without sanitizers, which hold memory of their own";
  EngineOptions small = options_;
  small.stream = 1;
  small.batch = 1;
  EngineOptions one = options_;
  one.batch = 1;
  const int64_t most = plan_memory(*model_, one).total();
  const int64_t least = plan_memory(*model_, small).total();
  ASSERT_LT(least + (4 << 20), most);
  const EngineOptions fitted = fit_memory(*model_, options_, most - (2 << 20));
  EXPECT_GT(fitted.stream, 0);
  EXPECT_LE(plan_memory(*model_, fitted).total(), most - (1 << 20));
  EXPECT_EQ(fit_memory(*model_, options_, 2 * most).stream, 0);
  const auto choices = memory_choices(*model_, options_, least + (1 << 20));
  ASSERT_FALSE(choices.empty());
  for (const MemoryChoice& choice : choices) EXPECT_TRUE(choice.streamed);
}

INSTANTIATE_TEST_SUITE_P(Files, WeightStreaming, testing::Values(false, true),
                         [](const auto& info) { return info.param ? "packed" : "plain"; });

}  // namespace
}  // namespace bantam
