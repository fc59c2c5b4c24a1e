#include <gtest/gtest.h>

#include "cpu/peak/table.h"

namespace bantam::cpu {
namespace {

TEST(Peak, EveryInstructionSetCountsItsRounds) {
  for (const auto& [isa, rounds] : peak_table()) {
    const auto need = static_cast<uint32_t>(isa);
    if ((need & allowed_isas()) != need) continue;
    const double once = rounds(1);
    EXPECT_GT(once, 0) << isa_name(isa);
    EXPECT_EQ(rounds(10), 10 * once) << isa_name(isa);
    EXPECT_EQ(rounds(0), 0) << isa_name(isa);
  }
}

}  // namespace
}  // namespace bantam::cpu
