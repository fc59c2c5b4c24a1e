#include "base/cores.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"

namespace bantam {
namespace {

// A made-up /sys and /proc.
class FoundCores : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(root_); }
  void put(const std::string& path, const std::string& line) const {
    const std::filesystem::path file = root_ + path;
    std::filesystem::create_directories(file.parent_path());
    write_text_file(file.string(), line + "\n");
  }
  void put_processor(int cpu, const std::string& siblings, const std::string& capacity) const {
    const std::string folder = "/sys/devices/system/cpu/cpu" + std::to_string(cpu);
    put(folder + "/topology/thread_siblings_list", siblings);
    if (!capacity.empty()) put(folder + "/cpu_capacity", capacity);
  }
  std::string root_ = testing::TempDir() + "/bantam_cores_" + std::to_string(getpid());
};

TEST_F(FoundCores, CountProcessorsThatShareACoreOnce) {
  for (const int cpu : {0, 1, 2, 3}) put_processor(cpu, cpu < 2 ? "0-1" : "2-3", "");
  const Cores c = find_cores(root_, {0, 1, 2, 3});
  EXPECT_EQ(c.logical, 4);
  EXPECT_EQ(c.physical, 2);
  EXPECT_EQ(c.default_threads(), 2);
  EXPECT_EQ(find_cores(root_, {1, 2}).physical, 2);
}

TEST_F(FoundCores, LeaveLittleOnesOut) {
  for (int cpu = 0; cpu < 8; ++cpu)
    put_processor(cpu, std::to_string(cpu), cpu < 4 ? "250" : cpu < 7 ? "860" : "1024");
  const Cores c = find_cores(root_, {0, 1, 2, 3, 4, 5, 6, 7});
  EXPECT_EQ(c.physical, 8);
  EXPECT_EQ(c.fast, 4);
  EXPECT_EQ(c.default_threads(), 4);
  EXPECT_EQ(find_cores(root_, {0, 1, 2}).default_threads(), 3);  // only little ones
}

TEST_F(FoundCores, AreBoundFastOnesFirstAndSiblingsLast) {
  for (int cpu = 0; cpu < 8; ++cpu) {
    put_processor(cpu, cpu < 4 ? "0,2" : std::to_string(cpu), cpu < 6 ? "512" : "1024");
  }
  for (const int cpu : {1, 3}) put_processor(cpu, "1,3", "512");
  EXPECT_EQ(find_cores(root_, {0, 1, 2, 3, 4, 5, 6, 7}).order,
            (std::vector{6, 7, 0, 1, 4, 5, 2, 3}));
  EXPECT_EQ(find_cores(root_, {2, 3, 6}).order, (std::vector{6, 2, 3}));
}

TEST_F(FoundCores, KeepWithinTheQuotaOfTheControlGroup) {
  for (int cpu = 0; cpu < 8; ++cpu) put_processor(cpu, std::to_string(cpu), "");
  const std::vector<int> all{0, 1, 2, 3, 4, 5, 6, 7};
  put("/proc/self/cgroup", "0::/box/inner");
  put("/sys/fs/cgroup/box/inner/cpu.max", "max 100000");
  EXPECT_EQ(find_cores(root_, all).default_threads(), 8);
  put("/sys/fs/cgroup/box/cpu.max", "250000 100000");
  EXPECT_DOUBLE_EQ(find_cores(root_, all).quota, 2.5);
  EXPECT_EQ(find_cores(root_, all).default_threads(), 2);
  put("/sys/fs/cgroup/box/inner/cpu.max", "50000 100000");
  EXPECT_EQ(find_cores(root_, all).default_threads(), 1);
}

TEST_F(FoundCores, AreUnlimitedWhereTheSystemSaysNothing) {
  const Cores c = find_cores(root_, {0, 5});
  EXPECT_EQ(c.physical, 2);
  EXPECT_EQ(c.quota, 0);
  EXPECT_EQ(c.default_threads(), 2);
  EXPECT_GE(find_cores().default_threads(), 1);
}

TEST(DefaultThreads, AreWhatTheEnvironmentSays) {
  setenv("BANTAM_THREADS", "3", 1);
  EXPECT_EQ(default_thread_count(), 3);
  for (const char* wrong : {"0", "-1", "many", "3x", "5000"}) {
    setenv("BANTAM_THREADS", wrong, 1);
    EXPECT_THROW(default_thread_count(), Error) << wrong;
  }
  unsetenv("BANTAM_THREADS");
  EXPECT_GE(default_thread_count(), 1);
}

}  // namespace
}  // namespace bantam
