#include "base/string_table.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace bantam {
namespace {

using Strings = std::vector<std::string>;

TEST(StringTable, HoldsStrings) {
  StringTable t = {"a", "", "xyz"};
  t.push_back(std::string_view("n\0l", 3));
  ASSERT_EQ(t.size(), 4);
  EXPECT_EQ(t[0], "a");
  EXPECT_EQ(t[1], "");
  EXPECT_EQ(t[2], "xyz");
  EXPECT_EQ(t[3], std::string_view("n\0l", 3));
  EXPECT_TRUE(StringTable().empty());
  EXPECT_EQ(StringTable(), StringTable(Strings{}));
  EXPECT_EQ(StringTable(), [] {
    StringTable emptied = {"x"};
    emptied.resize(0);
    return emptied;
  }());
  EXPECT_NE(t, (StringTable{"a", "", "xyz"}));
  EXPECT_NE((StringTable{"ab", "c"}), (StringTable{"a", "bc"}));
}

TEST(StringTable, ChangesLikeAVector) {
  StringTable t = {"one", "two", "three", "four"};
  t.set(1, "a longer two");
  t.set(3, "");
  t.set(0, "six");
  t.resize(6);
  t.set(5, "end");
  EXPECT_EQ(t, (Strings{"six", "a longer two", "three", "", "", "end"}));
  t.resize(2);
  t.push_back("x");
  t.shrink_to_fit();
  EXPECT_EQ(t, (Strings{"six", "a longer two", "x"}));
  t.clear();
  EXPECT_TRUE(t.empty());
  t.push_back("again");
  EXPECT_EQ(t, Strings{"again"});
}

TEST(StringTable, CopiesShareUntilOneChanges) {
  StringTable a = {"x", "y"};
  StringTable b = a;
  EXPECT_EQ(a[1].data(), b[1].data());
  b.set(0, "changed");
  EXPECT_EQ(a, (Strings{"x", "y"}));
  EXPECT_EQ(b, (Strings{"changed", "y"}));
}

TEST(StringTable, WorksWithAlgorithms) {
  const StringTable t = {"b", "a", "c", "a"};
  EXPECT_EQ(std::ranges::find(t, "c") - t.begin(), 2);
  EXPECT_EQ(std::ranges::count(t, "a"), 2);
  EXPECT_EQ(std::vector<std::string>(t.begin(), t.end()), (Strings{"b", "a", "c", "a"}));
}

}  // namespace
}  // namespace bantam
