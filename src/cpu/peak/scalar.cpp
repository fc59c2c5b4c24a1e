#include "cpu/peak/peak.h"

namespace bantam::cpu::scalar {

double peak_rounds(int64_t rounds) {
  int32_t a = 3, b = 5, sums[4] = {};
  for (int64_t i = 0; i < rounds; ++i) {
    for (int32_t& sum : sums) {
      __asm__ volatile("" : "+r"(a));
      sum += a * b;
    }
  }
  for (int32_t& sum : sums) __asm__ volatile("" : "+r"(sum));
  return 4.0 * 2 * (double)rounds;
}

}  // namespace bantam::cpu::scalar
