#include <arm_neon.h>

#include "cpu/peak/peak.h"

namespace bantam::cpu::arm_neon {

double peak_rounds(int64_t rounds) {
  constexpr int kChains = 8;
  int8x8_t a = vdup_n_s8(3);
  const int8x8_t b = vdup_n_s8(5);
  int32x4_t sums[kChains];
  for (int32x4_t& sum : sums) sum = vdupq_n_s32(0);
  for (int64_t i = 0; i < rounds; ++i) {
    for (int32x4_t& sum : sums) {
      __asm__ volatile("" : "+w"(a));  // or the product would be computed once
      sum = vpadalq_s16(sum, vmull_s8(a, b));
    }
  }
  for (int32x4_t& sum : sums) __asm__ volatile("" : "+w"(sum));
  return 2.0 * 8 * kChains * (double)rounds;
}

}  // namespace bantam::cpu::arm_neon
