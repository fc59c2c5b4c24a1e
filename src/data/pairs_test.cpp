#include "data/pairs.h"

#include <gtest/gtest.h>

#include <numeric>

#include "base/file.h"
#include "data/corpora.h"
#include "data/data_test_kit.h"
#include "data/pair_sampler.h"

namespace bantam {
namespace {

using namespace data_test;

class Pairs : public testing::Test {
 protected:
  std::string write(const std::string& name, std::string_view text) const {
    write_text_file(directory_.file(name), text);
    return directory_.file(name);
  }
  TemporaryDirectory directory_;
};

TEST_F(Pairs, StandOnLinesWithATabBetweenOrInRecords) {
  const auto tabs = read_pairs(write("a.tsv", "one\tuno\r\n\n two words \t dos palabras\n"));
  ASSERT_EQ(tabs.size(), 2u);
  EXPECT_EQ(tabs[0].source, "one");
  EXPECT_EQ(tabs[0].target, "uno");
  EXPECT_EQ(tabs[1].source, "two words");
  EXPECT_EQ(tabs[1].target, "dos palabras");
  const auto records = read_pairs(write("a.jsonl", R"({"en": "a\tb", "de": "c"})"
                                                   "\n"
                                                   R"({"en": "d", "de": "e", "id": 3})"),
                                  {"en", "de"});
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].source, "a\tb");
  EXPECT_EQ(records[1].target, "e");
}

TEST_F(Pairs, NameTheLineThatIsNone) {
  const auto error = [&](const std::string& name, const char* text) {
    return error_of(ErrorKind::format, [&] { read_pairs(write(name, text)); });
  };
  EXPECT_NE(error("a.tsv", "one\tuno\n\ntwo\n").find("a.tsv, line 3] expected a source and a"),
            std::string::npos);
  EXPECT_NE(error("a.tsv", "one\tuno\tun\n").find("several tabs"), std::string::npos);
  EXPECT_NE(error("a.tsv", "one\t \n").find("an empty one"), std::string::npos);
  EXPECT_NE(error("a.jsonl", R"({"source": "a"})").find("target"), std::string::npos);
  EXPECT_NE(error("a.jsonl", R"({"source": "a", "target": 3})").find("target"), std::string::npos);
  EXPECT_NE(error("a.jsonl", "[]").find("an object"), std::string::npos);
}

TEST_F(Pairs, OfASourceHaveItsPrefix) {
  SourceSpec source;
  source.path = write("a.tsv", "one\tuno\n");
  source.records = SourceSpec::Records::pair;
  source.source_prefix = "to Spanish: ";
  EXPECT_EQ(read_pairs(source).at(0).source, "to Spanish: one");
  EXPECT_EQ(read_documents(source), (std::vector<std::string>{"to Spanish: one", "uno"}));
}

// Pair i is i, i, ... (i % 5 + 1 of them) and then 100 + i, ... (i % 3 + 1 of them).
class PairBatches : public Pairs {
 protected:
  static constexpr int32_t kPairs = 17;
  std::string shard() const {
    ShardWriter writer(directory_.file("pairs.shard"), {60000, 7});
    for (int32_t i = 0; i < kPairs; ++i) {
      writer.add(std::vector<int32_t>(static_cast<size_t>(i % 5 + 1), i));
      writer.add(std::vector<int32_t>(static_cast<size_t>(i % 3 + 1), 100 + i));
    }
    writer.finish();
    return directory_.file("pairs.shard");
  }
  PairShards shards_{{shard()}};
  PairShape shape_{{4, 6}, 4, 9};

  // What row b of a batch holds; -1 if nothing.
  int32_t check_row(const TokenBatch& batch, size_t b) const {
    const int32_t i = batch.targets[b * 6] - 100;
    const auto targets = static_cast<size_t>(i % 3 + 1),
               sources = static_cast<size_t>(std::min(4, i % 5 + 1));
    for (size_t t = 0; t < 6; ++t) {
      EXPECT_EQ(batch.targets[b * 6 + t], i < 0 || t >= targets ? -1 : 100 + i);
      EXPECT_EQ(batch.ids[b * 6 + t], i < 0 || t >= targets ? 0 : t == 0 ? 9 : 100 + i);
    }
    EXPECT_EQ(batch.source_lengths[b], i < 0 ? 1 : static_cast<int32_t>(sources));
    for (size_t t = 0; t < 4; ++t)
      EXPECT_EQ(batch.source_ids[b * 4 + t], i < 0 || t >= sources ? 0 : i);
    return i < 0 ? -1 : i;
  }
};

TEST_F(PairBatches, HoldEveryPairOnceInAnEpochBehindTheStartToken) {
  EXPECT_EQ(shards_.pairs(), 17u);
  PairSampler sampler(shards_, shape_, 3);
  TokenBatch batch;
  std::vector<int32_t> seen;
  for (int n = 0; n < 17; ++n) {  // four epochs
    sampler.next(batch);
    for (size_t b = 0; b < 4; ++b) seen.push_back(check_row(batch, b));
  }
  for (size_t epoch = 0; epoch < 4; ++epoch) {
    const auto begin = seen.begin() + static_cast<int64_t>(epoch * 17);
    std::vector<int32_t> all(17), sorted(begin, begin + 17);
    EXPECT_FALSE(std::is_sorted(sorted.begin(), sorted.end()));
    std::sort(sorted.begin(), sorted.end());
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(sorted, all) << epoch;
  }
  EXPECT_DOUBLE_EQ(sampler.epochs(), 4);
}

TEST_F(PairBatches, GoOnFromAnyState) {
  for (const int used : {0, 1, 4, 5, 9}) {
    PairSampler a(shards_, shape_, 5), b(shards_, shape_, 5);
    TokenBatch x, y;
    for (int i = 0; i < used; ++i) a.next(x);
    b.restore(a.state());
    for (int i = 0; i < 6; ++i) {
      a.next(x);
      b.next(y);
      ASSERT_EQ(x.targets, y.targets) << used;
      ASSERT_EQ(x.source_ids, y.source_ids) << used;
    }
  }
  PairSampler sampler(shards_, shape_, 5);
  error_of(ErrorKind::format, [&] { sampler.restore({0, 18}); });
}

TEST_F(PairBatches, ListEveryPairInOrderAndLeaveTheLastRowsEmpty) {
  const SequentialPairs list(shards_, shape_);
  ASSERT_EQ(list.count(), 5);
  TokenBatch batch;
  for (int32_t i = 0; i < 5; ++i) {
    list.get(i, batch);
    for (int32_t b = 0; b < 4; ++b) {
      const int32_t pair = 4 * i + b;
      EXPECT_EQ(check_row(batch, static_cast<size_t>(b)), pair < kPairs ? pair : -1);
    }
  }
}

TEST_F(PairBatches, NeedATargetForEverySource) {
  ShardWriter writer(directory_.file("odd.shard"), {60000, 7});
  writer.add(std::vector<int32_t>{1, 2});
  writer.finish();
  error_of(ErrorKind::format, [&] { PairShards odd({directory_.file("odd.shard")}); });
}

}  // namespace
}  // namespace bantam
