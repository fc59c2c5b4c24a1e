#include "data/normalise.h"

#include <gtest/gtest.h>

namespace bantam {
namespace {

TEST(Normalise, StraightensQuotesAndLeavesOtherCharacters) {
  EXPECT_EQ(normalise("“Don’t”, ‘she’ said – né €5", {}), "\"Don't\", 'she' said – né €5");
  EXPECT_EQ(normalise("â€œIt donâ€™t â€“ oâ€¦â€ he", {}), "\"It don't – o…\" he");
  EXPECT_EQ(normalise("“a”", {.straight_quotes = false}), "“a”");
  EXPECT_EQ(normalise("\xe2\x80", {}), "\xe2\x80");
}

TEST(Normalise, TurnsEveryLineEndIntoOneByte) {
  EXPECT_EQ(normalise("a\r\nb\rc\n\r\n", {}), "a\nb\nc\n\n");
}

TEST(Normalise, CollapsesRunsOfBlankLines) {
  EXPECT_EQ(normalise("a  \n\n\n\nb\n \n\t\nc\nd", {}), "a\n\nb\n\nc\nd");
  EXPECT_EQ(normalise("a\n\n\nb", {.collapse_blank_lines = false}), "a\n\n\nb");
}

TEST(Normalise, JoinsTheLinesOfAParagraphOnRequest) {
  EXPECT_EQ(normalise("one\ntwo\n\nthree\nfour\n", {.unwrap_lines = true}),
            "one two\n\nthree four\n");
}

}  // namespace
}  // namespace bantam
