#include "base/memory.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>

namespace bantam {
namespace {

TEST(ProcessMemory, GrowsWhenPagesAreTouched) {
  const int64_t before = resident_bytes();
  if (before == 0) GTEST_SKIP() << "missing: a system that tells how much memory a process holds";
  constexpr size_t kBytes = size_t{32} << 20;
  const std::unique_ptr<char[]> memory(new char[kBytes]);
  std::memset(memory.get(), 1, kBytes);
  EXPECT_GE(resident_bytes(), before + int64_t{31 << 20});
  EXPECT_GE(peak_resident_bytes(), resident_bytes());
}

}  // namespace
}  // namespace bantam
