#include "runtime/page_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/random.h"
#include "tensor/layout.h"

namespace bantam {
namespace {

// A table with content: every cell of every page holds the number of the token written there, and
// each sequence's text is kept beside it as the plain list that the pages must amount to.
class Pool {
 public:
  explicit Pool(const PageTable::Options& o)
      : table_(o),
        cells_(static_cast<size_t>(o.pages * kPageCells), -1),
        texts_(static_cast<size_t>(o.sequences)) {}

  PageTable& table() { return table_; }
  [[nodiscard]] int64_t length(int32_t s) const {
    return static_cast<int64_t>(texts_[static_cast<size_t>(s)].size());
  }

  // False if there were too few pages.
  bool write(const std::vector<PageTable::Span>& spans) {
    std::vector<PageTable::Copy> copies;
    const int64_t missing = table_.write(spans, copies);
    if (missing > 0) {
      table_.undo();
      return false;
    }
    table_.commit();
    for (const auto [from, to, count] : copies)
      std::copy_n(cells_.begin() + from * kPageCells, count, cells_.begin() + to * kPageCells);
    for (const PageTable::Span& s : spans) {
      std::vector<int64_t>& text = texts_[static_cast<size_t>(s.sequence)];
      text.resize(static_cast<size_t>(s.begin));
      for (int64_t at = s.begin; at < s.end; ++at) {
        text.push_back(next_);
        cell(s.sequence, at) = next_++;
      }
    }
    return true;
  }
  void share(int32_t from, int32_t to, int64_t length) {
    table_.share(from, to, length);
    table_.commit();
    const std::vector<int64_t>& text = texts_[static_cast<size_t>(from)];
    texts_[static_cast<size_t>(to)].assign(text.begin(), text.begin() + length);
  }
  void truncate(int32_t s, int64_t length) {
    table_.truncate(s, length);
    table_.commit();
    texts_[static_cast<size_t>(s)].resize(static_cast<size_t>(length));
  }

  // What the next token of each sequence sees is what was written, and every page is either unused
  // or in the table.
  void check() {
    const PageTable::Options& o = table_.options();
    std::set<int32_t> used;
    for (int32_t s = 0; s < o.sequences; ++s) {
      const int64_t n = length(s),
                    begin = o.window > 0 ? std::max<int64_t>(0, n + 1 - o.window) : 0;
      ASSERT_EQ(table_.length(s), n);
      for (int64_t at = 0; at < n; ++at) {
        if (at < begin && at >= o.keep) continue;
        ASSERT_GE(table_.page(s, at / kPageCells), 0);
        ASSERT_EQ(cell(s, at), texts_[static_cast<size_t>(s)][static_cast<size_t>(at)]);
      }
      for (int64_t block = 0; block < o.blocks; ++block)
        if (table_.page(s, block) >= 0) used.insert(table_.page(s, block));
    }
    ASSERT_EQ(static_cast<int64_t>(used.size()) + table_.unused(), o.pages);
  }

 private:
  int64_t& cell(int32_t s, int64_t at) {
    const int64_t page = table_.page(s, at / kPageCells);
    return cells_[static_cast<size_t>(page * kPageCells + at % kPageCells)];
  }

  PageTable table_;
  std::vector<int64_t> cells_;
  std::vector<std::vector<int64_t>> texts_;
  int64_t next_ = 0;
};

TEST(PageTable, SharesPagesUntilSomeoneWritesToThem) {
  Pool pool({.pages = 8, .sequences = 3, .blocks = 4});
  ASSERT_TRUE(pool.write({{0, 0, 100}}));
  EXPECT_EQ(pool.table().unused(), 6);
  pool.share(0, 1, 100);
  pool.share(0, 2, 64);
  EXPECT_EQ(pool.table().unused(), 6);
  ASSERT_TRUE(pool.write({{1, 100, 101}}));  // its own copy of the second page
  EXPECT_EQ(pool.table().unused(), 5);
  EXPECT_EQ(pool.table().page(0, 0), pool.table().page(1, 0));
  EXPECT_NE(pool.table().page(0, 1), pool.table().page(1, 1));
  ASSERT_TRUE(pool.write({{0, 100, 101}, {2, 64, 65}}));  // nobody else has those
  EXPECT_EQ(pool.table().unused(), 4);
  pool.check();
}

TEST(PageTable, UsesPagesThatLeftTheWindowAgain) {
  const PageTable::Options o{.pages = 5, .sequences = 1, .blocks = 100, .window = 100, .keep = 64};
  Pool pool(o);
  for (int64_t at = 0; at < 6400; at += 20) {
    ASSERT_TRUE(pool.write({{0, at, at + 20}})) << at;
    pool.check();
  }
  EXPECT_TRUE(pool.table().can_go_on(0, 6390));
  EXPECT_FALSE(pool.table().can_go_on(0, 3000));
}

TEST(PageTable, TellsHowManyPagesAreMissingAndLosesNothing) {
  Pool pool({.pages = 4, .sequences = 2, .blocks = 8});
  ASSERT_TRUE(pool.write({{0, 0, 130}}));
  std::vector<PageTable::Copy> copies;
  const PageTable::Span spans[] = {{0, 10, 11}, {1, 0, 300}};  // five, and two are given back
  EXPECT_EQ(pool.table().write(spans, copies), 2);
  pool.table().undo();
  pool.check();
  EXPECT_EQ(pool.table().unused(), 1);
}

TEST(PageTable, CompactsIntoPagesThatNobodyElseHas) {
  Pool pool({.pages = 8, .sequences = 2, .blocks = 4});
  ASSERT_TRUE(pool.write({{0, 0, 250}}));
  pool.share(0, 1, 250);
  PageTable& table = pool.table();
  const std::vector<int32_t> all{table.page(0, 0), table.page(0, 1), table.page(0, 2),
                                 table.page(0, 3)};
  std::vector<int32_t> had;
  EXPECT_EQ(table.compact(1, 100, had), 0);
  table.undo();
  pool.check();
  had.clear();
  EXPECT_EQ(table.compact(1, 100, had), 0);
  table.commit();
  EXPECT_EQ(had, all);
  EXPECT_EQ(table.length(1), 100);
  EXPECT_NE(table.page(1, 0), all[0]);
  EXPECT_NE(table.page(1, 1), all[1]);
  EXPECT_EQ(table.page(1, 2), -1);
  EXPECT_EQ(table.unused(), 2);
  had.clear();
  EXPECT_EQ(table.compact(0, 100, had), 0);  // nobody shares them any more
  EXPECT_EQ(table.page(0, 0), all[0]);
  EXPECT_EQ(table.unused(), 4);
}

class RandomUse : public testing::TestWithParam<PageTable::Options> {};

TEST_P(RandomUse, AmountsToPlainLists) {
  const PageTable::Options& o = GetParam();
  Pool pool(o);
  Random random(11);
  const auto below = [&](int64_t n) {
    return static_cast<int64_t>(random.below(static_cast<uint32_t>(n)));
  };
  int64_t refused = 0, written = 0;
  for (int step = 0; step < 4000; ++step) {
    const auto s = static_cast<int32_t>(below(o.sequences));
    const int64_t cut = below(4) == 0 ? below(pool.length(s) + 1) : pool.length(s);
    if (!pool.table().can_go_on(s, cut)) continue;
    const int64_t kind = below(10);
    if (kind == 0) {
      pool.truncate(s, cut);
    } else if (kind < 3 && o.sequences > 1) {
      const auto to = static_cast<int32_t>((s + 1 + below(o.sequences - 1)) % o.sequences);
      pool.share(s, to, cut);
    } else {
      std::vector<PageTable::Span> spans;
      const int64_t room = o.blocks * kPageCells - cut;
      if (room > 0) spans.push_back({s, cut, cut + 1 + below(std::min<int64_t>(room, 100))});
      const auto other = static_cast<int32_t>((s + 1) % o.sequences);
      const int64_t at = pool.length(other);
      if (other != s && below(2) == 0 && at < o.blocks * kPageCells)
        spans.push_back({other, at, at + 1});
      const std::vector<int32_t> before(pool.table().entries().begin(),
                                        pool.table().entries().end());
      if (pool.write(spans)) {
        ++written;
      } else {
        ++refused;
        EXPECT_TRUE(std::ranges::equal(before, pool.table().entries()));
      }
    }
    ASSERT_NO_FATAL_FAILURE(pool.check()) << "step " << step;
  }
  EXPECT_GT(written, 100);
  const bool enough = o.pages >= o.sequences * o.blocks || o.window > 0;
  EXPECT_EQ(refused == 0, enough) << refused;
}

INSTANTIATE_TEST_SUITE_P(
    PageTable, RandomUse,
    testing::Values(PageTable::Options{.pages = 32, .sequences = 4, .blocks = 8},
                    PageTable::Options{.pages = 12, .sequences = 4, .blocks = 8},
                    // As many as engines make for a window: what is kept, 130 - 1 + 100 cells, 1.
                    PageTable::Options{.pages = 15, .sequences = 3, .blocks = 20, .window = 130},
                    PageTable::Options{
                        .pages = 18, .sequences = 3, .blocks = 20, .window = 130, .keep = 64}));

}  // namespace
}  // namespace bantam
