#include "base/random.h"

#include <gtest/gtest.h>

#include <array>

namespace bantam {
namespace {

TEST(Random, GivesThePublishedNumbersOfPcg32) {
  // pcg32-demo of the reference implementation: seed 42, stream 54.
  Random random(42, 54);
  for (const uint32_t expected :
       {0xa15c02b7u, 0x7b47f409u, 0xba1d3330u, 0x83d2f293u, 0xbfa4784bu, 0xcbed606eu}) {
    EXPECT_EQ(random.next(), expected);
  }
}

TEST(Random, ContinuesFromAStoredState) {
  Random a(7);
  for (int i = 0; i < 10; ++i) a.next();
  Random b;
  b.restore(a.state());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(a.next(), b.next());
}

TEST(Random, BelowIsEvenAndUniformStaysInRange) {
  Random random(1);
  std::array<int, 6> counts{};
  for (int i = 0; i < 60000; ++i) ++counts[random.below(6)];
  for (const int n : counts) EXPECT_NEAR(n, 10000, 400);
  for (int i = 0; i < 10000; ++i) {
    const float u = random.uniform();
    EXPECT_TRUE(u >= 0.0f && u < 1.0f);
  }
  EXPECT_EQ(random.below(1), 0u);
}

TEST(Random, NormalHasMeanZeroAndVarianceOne) {
  Random random(2);
  double sum = 0, squares = 0;
  constexpr int kDraws = 100000;
  for (int i = 0; i < kDraws; ++i) {
    const double x = static_cast<double>(random.normal());
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / kDraws, 0.0, 0.01);
  EXPECT_NEAR(squares / kDraws, 1.0, 0.02);
}

}  // namespace
}  // namespace bantam
