#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/cores.h"

namespace bantam {
namespace {

TEST(ThreadPool, CoversEveryIndexOnceForAnySizeAndGrain) {
  for (const int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads, true);
    EXPECT_EQ(pool.size(), threads);
    for (const int64_t count : {0, 1, 2, 63, 64, 65, 1000}) {
      for (const int64_t grain : {1, 7, 64, 2000}) {
        std::vector<int> seen(static_cast<size_t>(count));
        std::atomic<bool> in_contract{true};
        pool.parallel_for(count, grain, [&](int64_t begin, int64_t end, int worker) {
          if (begin % grain != 0 || end - begin > grain || end <= begin || worker < 0 ||
              worker >= threads) {
            in_contract = false;
          }
          for (int64_t i = begin; i < end; ++i) ++seen[static_cast<size_t>(i)];
        });
        EXPECT_TRUE(in_contract);
        for (const int n : seen) ASSERT_EQ(n, 1);
      }
    }
  }
}

TEST(ThreadPool, ManyShortLoopsInARowSeeEachOthersResults) {
  ThreadPool pool(3, true);
  std::vector<int64_t> values(32, 0);
  for (int round = 0; round < 2000; ++round) {
    pool.parallel_for(32, 1, [&](int64_t begin, int64_t, int) {
      const auto i = static_cast<size_t>(begin);
      values[i] += round;
    });
    if (round == 1000) std::this_thread::sleep_for(std::chrono::milliseconds(2));  // all asleep
  }
  for (const int64_t v : values) EXPECT_EQ(v, 2000 * 1999 / 2);
}

TEST(ThreadPool, ExceptionsReachTheCallerAndThePoolLivesOn) {
  ThreadPool pool(4, true);
  for (int round = 0; round < 20; ++round) {
    EXPECT_THROW(pool.parallel_for(100, 1,
                                   [](int64_t begin, int64_t, int) {
                                     if (begin % 10 == 3) throw std::runtime_error("thrown");
                                   }),
                 std::runtime_error);
    std::atomic<int> calls{0};
    pool.parallel_for(10, 1, [&](int64_t, int64_t, int) { ++calls; });
    EXPECT_EQ(calls, 10);
  }
}

TEST(ThreadPool, ATeamIsNoLargerThanTheMachineUnlessAskedFor) {
  constexpr int kAsked = 500;
  ThreadPool pool(kAsked);
  EXPECT_EQ(pool.size(), kAsked);
  std::vector<std::atomic<int>> seen(kAsked);
  pool.parallel_for(
      10000, 1, [&](int64_t, int64_t, int worker) { seen[static_cast<size_t>(worker)].store(1); });
  const auto used = std::count_if(seen.begin(), seen.end(), [](const auto& s) { return s == 1; });
  EXPECT_LE(used, static_cast<int64_t>(std::thread::hardware_concurrency()));
  EXPECT_GE(used, 1);
  EXPECT_GE(pool.team(), used);
  EXPECT_LE(pool.team(), static_cast<int>(std::thread::hardware_concurrency()));
  EXPECT_EQ(ThreadPool(3, true).team(), 3);
}

TEST(ThreadPool, BoundWorkersHaveProcessorsOfTheirOwnAndTheCallerHasAll) {
  const Cores before = find_cores();
  ThreadPool::bind_workers();
  std::vector<std::vector<int>> masks(3);
  {
    ThreadPool pool(3, true);
    std::atomic<int> started{0};
    pool.parallel_for(3, 1, [&](int64_t, int64_t, int worker) {
      masks[static_cast<size_t>(worker)] = find_cores().mask;
      ++started;
      while (started < 3) std::this_thread::yield();  // one chunk for each
    });
  }
  ThreadPool::bind_workers(false);
  EXPECT_EQ(masks[0], before.mask);
  for (const size_t worker : {1, 2}) {
    const int place = before.order[worker % before.order.size()];
    EXPECT_EQ(masks[worker], masks_are_kept() ? std::vector{place} : before.mask);
  }
  EXPECT_EQ(find_cores().mask, before.mask);
}

TEST(ThreadPool, DefaultSizeIsAtLeastOne) {
  const ThreadPool pool;
  EXPECT_GE(pool.size(), 1);
}

}  // namespace
}  // namespace bantam
