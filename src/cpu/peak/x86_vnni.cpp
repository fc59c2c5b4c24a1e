#include <immintrin.h>

#include "cpu/peak/peak.h"

namespace bantam::cpu::x86_vnni {

double peak_rounds(int64_t rounds) {
  constexpr int kChains = 12;
  const __m512i a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(5);
  __m512i sums[kChains];
  for (__m512i& sum : sums) sum = _mm512_setzero_si512();
  for (int64_t i = 0; i < rounds; ++i) {
    for (__m512i& sum : sums) sum = _mm512_dpbusd_epi32(sum, a, b);
  }
  alignas(64) int32_t results[kChains][16];
  for (int chain = 0; chain < kChains; ++chain) _mm512_store_si512(results[chain], sums[chain]);
  __asm__ volatile("" ::"r"(results) : "memory");
  return 2.0 * 64 * kChains * (double)rounds;
}

}  // namespace bantam::cpu::x86_vnni
