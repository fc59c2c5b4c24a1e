#include <immintrin.h>

#include "cpu/peak/peak.h"

namespace bantam::cpu::x86_avxvnni {

double peak_rounds(int64_t rounds) {
  constexpr int kChains = 12;
  __m256i a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(5), sums[kChains];
  for (__m256i& sum : sums) sum = _mm256_setzero_si256();
  for (int64_t i = 0; i < rounds; ++i) {
    for (__m256i& sum : sums) sum = _mm256_dpbusd_avx_epi32(sum, a, b);
  }
  for (__m256i& sum : sums) __asm__ volatile("" : "+x"(sum));
  return 2.0 * 32 * kChains * (double)rounds;
}

}  // namespace bantam::cpu::x86_avxvnni
