#include <immintrin.h>
#include <stdint.h>

#include "cpu/quant/lanes_256.h"
#include "cpu/quant/row_tile.h"

namespace bantam::cpu::x86_avx2 {

namespace {

uint32_t largest_bits(const float* x) {
  __m256i most = _mm256_setzero_si256();
  for (int i = 0; i < 32; i += 8) {
    const __m256i bits = _mm256_castps_si256(_mm256_loadu_ps(x + i));
    most = _mm256_max_epu32(most, _mm256_and_si256(bits, _mm256_set1_epi32(0x7fffffff)));
  }
  __m128i four = _mm_max_epu32(_mm256_castsi256_si128(most), _mm256_extracti128_si256(most, 1));
  four = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0x4e));
  four = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0xb1));
  return (uint32_t)_mm_cvtsi128_si32(four);
}

int16_t sum_of_bytes(__m128i q) {
  const __m128i offset = _mm_xor_si128(q, _mm_set1_epi8(-128));  // sad adds unsigned bytes
  const __m128i sums = _mm_sad_epu8(offset, _mm_setzero_si128());
  return (int16_t)(_mm_cvtsi128_si32(sums) + _mm_extract_epi16(sums, 4) - 16 * 128);
}

void quantize(const float* x, BlockQ8A* q, int64_t blocks) {
  for (int64_t b = 0; b < blocks; ++b, x += 32, ++q) {
    const uint32_t bits = largest_bits(x);
    float largest;
    __builtin_memcpy(&largest, &bits, 4);
    if (!(largest >= 0x1p-100f) || bits >= 0x7f800000u) {
      __builtin_memset(q, 0, sizeof *q);
      if (bits >= 0x7f800000u) q->d = __builtin_nanf("");
      continue;
    }
    q->d = largest / 127.0f;
    const __m256 inverse = _mm256_set1_ps(127.0f / largest);
    for (int h = 0; h < 2; ++h) {
      const __m256 low = _mm256_loadu_ps(x + 16 * h), high = _mm256_loadu_ps(x + 16 * h + 8);
      const __m256i words = _mm256_permute4x64_epi64(
          _mm256_packs_epi32(_mm256_cvtps_epi32(_mm256_mul_ps(low, inverse)),
                             _mm256_cvtps_epi32(_mm256_mul_ps(high, inverse))),
          0xd8);
      const __m128i bytes =
          _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
      _mm_storeu_si128((__m128i*)(void*)(q->q + 16 * h), bytes);
      q->sum[h] = sum_of_bytes(bytes);
    }
  }
}

}  // namespace

extern const QuantKernels quant_kernels;
constinit const QuantKernels quant_kernels = quant::every_format<quant::Lanes256>(quantize);

}  // namespace bantam::cpu::x86_avx2
