#include "base/thread_choice.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/file.h"

namespace bantam {
namespace {

Cores eight_cores() {
  Cores c;
  c.logical = 16, c.physical = 8, c.fast = 4;
  return c;
}

TEST(ThreadChoice, TriesWhatTheCoresSuggestWithinTheQuota) {
  Cores c = eight_cores();
  EXPECT_EQ(thread_candidates(c), (std::vector<int>{1, 4, 8, 16}));
  c.quota = 2.5;
  EXPECT_EQ(thread_candidates(c), (std::vector<int>{1, 2}));
  EXPECT_EQ(thread_candidates(Cores()), std::vector<int>{1});
}

TEST(ThreadChoice, TakesTheStandardCountUnlessAnotherClearlyWins) {
  using Trials = std::vector<ThreadTrial>;
  const std::vector<double> slow(8, 1.0), little(8, 0.97), clear(8, 0.6);
  EXPECT_EQ(choose_threads(Trials{{1, slow}, {2, little}}, 1), 1);
  EXPECT_EQ(choose_threads(Trials{{1, little}, {2, slow}}, 2), 2);
  EXPECT_EQ(choose_threads(Trials{{1, slow}, {2, clear}}, 1), 2);
  EXPECT_EQ(choose_threads(Trials{{1, clear}, {2, slow}}, 2), 1);
  EXPECT_EQ(choose_threads(Trials{{1, slow}, {2, little}, {4, clear}}, 2), 4);
  EXPECT_EQ(choose_threads(Trials{{1, slow}, {2, clear}, {4, clear}}, 1), 2);
  EXPECT_EQ(choose_threads(Trials{{1, slow}, {2, little}}, 8), 1);
}

TEST(ThreadChoice, IsNotChangedByAFewDisturbedRounds) {
  using Trials = std::vector<ThreadTrial>;
  const std::vector<double> slow(8, 1.0);
  const std::vector<double> disturbed{0.6, 9, 0.6, 0.6, 9, 0.6, 0.6, 0.6};
  EXPECT_EQ(choose_threads(Trials{{1, slow}, {2, disturbed}}, 1), 2);
  const std::vector<double> lucky{1, 1, 0.1, 1, 1, 0.1, 1, 1};
  EXPECT_EQ(choose_threads(Trials{{1, slow}, {2, lucky}}, 1), 1);
  EXPECT_EQ(choose_threads(Trials{{1, lucky}, {2, slow}}, 2), 2);
}

TEST(ThreadChoice, TimesEachCandidateInEachRound) {
  const std::vector<int> counts{1, 2};
  const std::vector<ThreadTrial> trials = try_threads(counts, 2);
  ASSERT_EQ(trials.size(), 2u);
  for (const ThreadTrial& t : trials) {
    ASSERT_EQ(t.seconds.size(), 2u);
    for (const double s : t.seconds) EXPECT_GT(s, 0);
  }
}

TEST(Affinity, IsKeptWhereThreadsReadTheirMaskBack) {
  // What the answer is depends on the system; asking must not move this thread.
  const std::vector<int> before = find_cores().mask;
  const bool kept = masks_are_kept();
  EXPECT_EQ(find_cores().mask, before) << kept;
}

TEST(ThreadMemory, HoldsForTheSameMachineOnly) {
  const std::string folder = testing::TempDir() + "/bantam_threads_" + std::to_string(getpid());
  const std::string path = folder + "/bantam/threads";
  EXPECT_FALSE(remembered_threads(path, "a"));
  ASSERT_TRUE(remember_threads(6, path, "a"));
  EXPECT_EQ(remembered_threads(path, "a"), 6);
  EXPECT_FALSE(remembered_threads(path, "b"));
  for (const char* wrong : {"", "6", "0\na\n", "5000\na\n", "many\na\n"}) {
    write_text_file(path, wrong);
    EXPECT_FALSE(remembered_threads(path, "a")) << wrong;
  }
  EXPECT_FALSE(remember_threads(6, path + "/below/a/file", "a"));
  EXPECT_FALSE(remember_threads(6, "", "a"));
  std::filesystem::remove_all(folder);
}

TEST(ThreadMemory, DependsOnWhatTheAnswerDependsOn) {
  const Cores c = eight_cores();
  Cores quota = c, mask = c;
  quota.quota = 2;
  mask.mask = {1, 3};
  EXPECT_EQ(machine_key(c), machine_key(c));
  EXPECT_NE(machine_key(c), machine_key(quota));
  EXPECT_NE(machine_key(c), machine_key(mask));
}

}  // namespace
}  // namespace bantam
