#include "runtime/heavy_hitters.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tensor/layout.h"

namespace bantam {
namespace {

TEST(HeavyHitters, FillSlotsOneAfterTheOtherBetweenDecisions) {
  for (const HeavyHitters h : {HeavyHitters{64, 64}, {50, 13}, {1, 1}, {64, 63}, {100, 200}}) {
    int64_t filled = 0;
    for (int64_t position = 0; position < 1000; ++position) {
      EXPECT_EQ(h.filled(position), filled);
      const bool decides = position % kPageCells == 0 && filled > h.kept();
      ASSERT_EQ(h.decides(position), decides) << position;
      if (decides) filled = h.kept();
      ASSERT_EQ(h.slot(position), filled) << position;
      ++filled;
      ASSERT_LE(filled, h.kept() + kPageCells);
    }
  }
}

TEST(HeavyHitters, AreTheLargestMassesBeforeTheWindow) {
  const HeavyHitters h{3, 2};
  const std::vector<float> masses{1, 5, 2, 4, 3, 9, 0.5f, 8, 7};
  EXPECT_EQ(h.choose(masses), (std::vector<int32_t>{1, 3, 5, 7, 8}));
}

TEST(HeavyHitters, AreTheOlderOnesOfEqualMasses) {
  const HeavyHitters h{2, 1};
  EXPECT_EQ(h.choose(std::vector<float>{1, 2, 2, 2, 1, 7}), (std::vector<int32_t>{1, 2, 5}));
  EXPECT_EQ(h.choose(std::vector<float>{0, 0, 0, 0}), (std::vector<int32_t>{0, 1, 3}));
}

TEST(HeavyHitters, HaveAPlaceForWhatIsNotANumber) {
  const HeavyHitters h{2, 1};
  const std::vector<float> masses{1, NAN, 3, NAN, 2, NAN};
  EXPECT_EQ(h.choose(masses), (std::vector<int32_t>{1, 3, 5}));
}

}  // namespace
}  // namespace bantam
