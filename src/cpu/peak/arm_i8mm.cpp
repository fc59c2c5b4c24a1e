#include <arm_neon.h>

#include "cpu/peak/peak.h"

namespace bantam::cpu::arm_i8mm {

double peak_rounds(int64_t rounds) {
  constexpr int kChains = 12;
  const int8x16_t a = vdupq_n_s8(3), b = vdupq_n_s8(5);
  int32x4_t sums[kChains];
  for (int32x4_t& sum : sums) sum = vdupq_n_s32(0);
  for (int64_t i = 0; i < rounds; ++i) {
    for (int32x4_t& sum : sums) sum = vmmlaq_s32(sum, a, b);
  }
  for (int32x4_t& sum : sums) __asm__ volatile("" : "+w"(sum));
  return 2.0 * 32 * kChains * (double)rounds;
}

}  // namespace bantam::cpu::arm_i8mm
