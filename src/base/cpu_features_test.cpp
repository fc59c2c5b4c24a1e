#include "base/cpu_features.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace bantam {
namespace {

TEST(CpuFeatures, ScalarIsAlwaysAvailableAndFirst) {
  const auto names = available_isas();
  ASSERT_FALSE(names.empty());
  EXPECT_EQ(names.front(), "scalar");
}

TEST(CpuFeatures, UnknownNamesAreUsageErrors) {
  try {
    force_isa("sse1");
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(e.what()).find("scalar"), std::string::npos);
  }
}

TEST(CpuFeatures, ForcingASetAllowsItAndWhatItBuildsOn) {
  using Function = int (*)();
  static const KernelEntry<Function> table[] = {
      {Isa::scalar, [] { return 0; }},
      {Isa::x86_avx2, [] { return 1; }},
      {Isa::arm_neon, [] { return 2; }},
  };
  uint32_t last = 0;
  for (const std::string& name : available_isas()) {
    force_isa(name);
    EXPECT_EQ(allowed_isas() & ~detected_isas(), 0u);
    if (name == "scalar") {
      EXPECT_EQ(allowed_isas(), 0u);
      EXPECT_EQ(best_kernel(table).function(), 0);
    } else {
      EXPECT_NE(allowed_isas(), 0u);
      EXPECT_NE(best_kernel(table).function(), 0);
      EXPECT_NE(allowed_isas(), last);
    }
    last = allowed_isas();
  }
}

}  // namespace
}  // namespace bantam
