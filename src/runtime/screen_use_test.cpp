#include "runtime/screen_use.h"

#include <gtest/gtest.h>

namespace bantam {
namespace {

// Tokens of `total` that are screened if each computes this share of the rows.
int screened(double share, int total) {
  ScreenUse use(5);
  int count = 0;
  for (int i = 0; i < total; ++i) {
    const int32_t asked = use.next();
    use.saw(asked, asked == 0 ? 1 : share);
    count += asked == 5 ? 1 : 0;
  }
  return count;
}

TEST(ScreenUse, ScreensEveryTokenWhereFewRowsAreComputed) {
  EXPECT_EQ(screened(0.01, 1000), 1000);
  EXPECT_EQ(screened(0.3, 1000), 1000);
}

TEST(ScreenUse, RarelyTriesWhereMostRowsAre) {
  EXPECT_EQ(screened(1, 2), 1);
  EXPECT_EQ(screened(1, 3), 2);
  EXPECT_EQ(screened(1, 1000), 10);
  EXPECT_EQ(screened(1, 10000), 19);
}

TEST(ScreenUse, TriesSoonAgainAfterATokenThatPaid) {
  ScreenUse use(1);
  const auto step = [&](double share) {
    const int32_t asked = use.next();
    use.saw(asked, share);
    return asked;
  };
  EXPECT_EQ(step(1), 1);
  EXPECT_EQ(step(1), 0);
  EXPECT_EQ(step(1), 1);
  EXPECT_EQ(step(1), 0);
  EXPECT_EQ(step(1), 0);
  EXPECT_EQ(step(0.1), 1);
  EXPECT_EQ(step(1), 1);
  EXPECT_EQ(step(1), 0);
  EXPECT_EQ(step(1), 1);
}

TEST(ScreenUse, NeverScreensWhereEveryLogitCounts) {
  ScreenUse use(0);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(use.next(), 0);
    use.saw(0, 1);
  }
}

}  // namespace
}  // namespace bantam
