#include <immintrin.h>

#include "cpu/peak/peak.h"

namespace bantam::cpu::x86_avx2 {

double peak_rounds(int64_t rounds) {
  constexpr int kChains = 8;
  __m256i a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(5), sums[kChains];
  const __m256i one = _mm256_set1_epi16(1);
  for (__m256i& sum : sums) sum = _mm256_setzero_si256();
  for (int64_t i = 0; i < rounds; ++i) {
    for (__m256i& sum : sums) {
      __asm__ volatile("" : "+x"(a));  // or the product would be computed once
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), one));
    }
  }
  for (__m256i& sum : sums) __asm__ volatile("" : "+x"(sum));
  return 2.0 * 32 * kChains * (double)rounds;
}

}  // namespace bantam::cpu::x86_avx2
