#include "data/sampler.h"

#include <gtest/gtest.h>

#include <map>

#include "data/data_test_kit.h"

namespace bantam {
namespace {

using namespace data_test;

class Samplers : public testing::Test {
 protected:
  TemporaryDirectory directory_;
  ShardSet shards_{{counting_shard(directory_.file("a"), 0, 700),
                    counting_shard(directory_.file("b"), 700, 303)}};
};

std::vector<std::vector<int32_t>> take(Sampler& sampler, int batches) {
  std::vector<std::vector<int32_t>> taken;
  for (int i = 0; i < batches; ++i) {
    TokenBatch batch;
    sampler.next(batch);
    taken.push_back(batch.ids);
    taken.push_back(batch.targets);
  }
  return taken;
}

TEST_F(Samplers, GiveWindowsOfTheStreamWithTheirNextTokens) {
  Sampler sampler(shards_, {3, 16}, 1);
  TokenBatch batch;
  for (int i = 0; i < 50; ++i) {
    sampler.next(batch);
    ASSERT_EQ(batch.ids.size(), 48);
    for (size_t n = 0; n < 48; ++n) {
      EXPECT_EQ(batch.targets[n], (batch.ids[n] + 1) % 1003);
      EXPECT_EQ(batch.positions[n], static_cast<int32_t>(n % 16));
      EXPECT_EQ(batch.sequences[n], static_cast<int32_t>(n / 16));
      if (n % 16 > 0) {
        EXPECT_EQ(batch.ids[n], batch.targets[n - 1]);
      }
    }
  }
}

TEST_F(Samplers, OfOneSeedGiveTheSameBatchesAndOfAnotherNot) {
  Sampler a(shards_, {4, 16}, 1), b(shards_, {4, 16}, 1), c(shards_, {4, 16}, 2);
  const auto batches = take(a, 40);
  EXPECT_EQ(batches, take(b, 40));
  EXPECT_NE(batches, take(c, 40));
}

TEST_F(Samplers, ContinueFromAnyState) {
  for (const int used : {0, 1, 7, 15, 16, 31, 33}) {
    Sampler a(shards_, {4, 16}, 5), b(shards_, {4, 16}, 5);
    take(a, used);
    b.restore(a.state());
    EXPECT_EQ(a.state(), b.state());
    EXPECT_EQ(take(a, 20), take(b, 20)) << "after " << used;
    EXPECT_EQ(a.state(), b.state());
  }
}

TEST_F(Samplers, SeeEveryTokenOncePerEpochButForTheTail) {
  Sampler sampler(shards_, {1, 16}, 3);
  ASSERT_EQ(sampler.windows_per_epoch(), 62);
  for (int epoch = 0; epoch < 4; ++epoch) {
    std::map<int32_t, int> seen;
    for (int i = 0; i < 62; ++i) {
      EXPECT_EQ(sampler.epochs(), epoch + i / 62.0);
      TokenBatch batch;
      sampler.next(batch);
      for (const int32_t id : batch.ids) ++seen[id];
    }
    EXPECT_EQ(seen.size(), 62 * 16);
    for (const auto& [id, count] : seen) EXPECT_EQ(count, 1) << id;
  }
}

TEST_F(Samplers, CutAndOrderEachEpochDifferently) {
  Sampler sampler(shards_, {62, 16}, 3);
  const auto epochs = take(sampler, 2);
  EXPECT_NE(epochs[0], epochs[2]);
}

TEST_F(Samplers, RefuseWhatCannotBeSampled) {
  error_of(ErrorKind::usage, [&] { Sampler sampler(shards_, {1, 1003}, 1); });
  error_of(ErrorKind::usage, [&] { Sampler sampler(shards_, {0, 16}, 1); });
  Sampler sampler(shards_, {1, 16}, 1);
  error_of(ErrorKind::format, [&] { sampler.restore({0, 63}); });
}

TEST_F(Samplers, SequentialBatchesMakeEveryTokenATargetOnce) {
  for (const int64_t length : {1, 16, 167, 501, 1002, 5000}) {
    const SequentialBatches batches(shards_, {2, length});
    int32_t expected = 0;
    TokenBatch batch;
    for (int64_t i = 0; i < batches.count(); ++i) {
      batches.get(i, batch);
      ASSERT_EQ(batch.ids.size(), static_cast<size_t>(2 * length));
      for (size_t n = 0; n < batch.ids.size(); ++n) {
        if (batch.targets[n] < 0) continue;
        EXPECT_EQ(batch.ids[n], expected);
        EXPECT_EQ(batch.targets[n], ++expected);
      }
    }
    EXPECT_EQ(expected, 1002);
  }
}

}  // namespace
}  // namespace bantam
