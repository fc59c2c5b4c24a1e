#include "train/schedule.h"

#include <gtest/gtest.h>

namespace bantam {
namespace {

TEST(Schedule, RisesLinearlyOverTheWarmUp) {
  const Schedule s{ScheduleKind::cosine, 1.0, 0.1, 10, 100, 0};
  EXPECT_DOUBLE_EQ(s.at(0), 0.1);
  EXPECT_DOUBLE_EQ(s.at(4), 0.5);
  EXPECT_DOUBLE_EQ(s.at(9), 1.0);
}

TEST(Schedule, CosineFallsFromThePeakToTheFloor) {
  const Schedule s{ScheduleKind::cosine, 1.0, 0.1, 0, 100, 0};
  EXPECT_DOUBLE_EQ(s.at(0), 1.0);
  EXPECT_NEAR(s.at(50), 0.55, 1e-12);
  EXPECT_NEAR(s.at(100), 0.1, 1e-12);
  for (int i = 1; i < 100; ++i) EXPECT_LT(s.at(i), s.at(i - 1));
}

TEST(Schedule, WsdStaysAtThePeakUntilItsDecay) {
  const Schedule s{ScheduleKind::wsd, 1.0, 0.0, 5, 100, 20};
  EXPECT_DOUBLE_EQ(s.at(5), 1.0);
  EXPECT_DOUBLE_EQ(s.at(80), 1.0);
  EXPECT_DOUBLE_EQ(s.at(90), 0.5);
}

}  // namespace
}  // namespace bantam
