#include "runtime/memory_fit.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/sanitizers.h"
#include "models/random_model.h"

namespace bantam {
namespace {

Model small_model() {
  ModelConfig c = known_shape("stories15m");
  c.vocab_size = 1000;
  return random_model(c, [](const WeightShape&) { return DType::q8_0; });
}

TEST(MemoryFit, NarrowsTheBatchUntilThePlanIsWithinTheLimit) {
  if (kSanitized)
    GTEST_SKIP() << "missing: a build without sanitizers, which hold memory of their own";
  const Model model = small_model();
  EngineOptions wide;
  wide.context = 256;
  wide.batch = 256;
  EngineOptions narrow = wide;
  narrow.batch = 1;
  const int64_t most = plan_memory(model, wide).total();
  const int64_t least = plan_memory(model, narrow).total();
  ASSERT_LT(least, most);
  const int64_t limit = (least + most) / 2;
  const EngineOptions fitted = fit_memory(model, wide, limit);
  EXPECT_LT(fitted.batch, wide.batch);
  EXPECT_EQ(fitted.context, wide.context);
  EXPECT_LE(plan_memory(model, fitted).total(), limit + (1 << 20));
  EXPECT_EQ(fit_memory(model, wide, 2 * most).batch, wide.batch);
}

TEST(MemoryFit, RefusesWithWhatWouldFit) {
  if (kSanitized)
    GTEST_SKIP() << "missing: a build without sanitizers, which hold memory of their own";
  const Model model = small_model();
  EngineOptions o;
  o.context = 1024;
  EngineOptions shorter = o;
  shorter.context = 64;
  shorter.batch = 1;
  const int64_t limit = plan_memory(model, shorter).total() + (2 << 20);
  try {
    fit_memory(model, o, limit);
    FAIL() << "expected a refusal";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::resource);
    EXPECT_NE(std::string(e.what()).find("what would fit"), std::string::npos) << e.what();
    EXPECT_NE(std::string(e.what()).find("f16 cache"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace bantam
