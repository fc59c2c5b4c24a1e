#include "cpu/matmul/lanes_512.h"
#include "cpu/matmul/matmul.h"

namespace bantam::cpu::x86_bf16 {
namespace {

constexpr int kRows = 8;

void multiply_8x32(const uint16_t* a, const uint16_t* b, int64_t k, float* c, int64_t ldc,
                   int64_t rows, __mmask16 left, __mmask16 right, bool accumulate) {
  __m512 sum[kRows][2];
  for (int r = 0; r < kRows; ++r) {
    const bool load = accumulate && r < rows;
    sum[r][0] = load ? _mm512_maskz_loadu_ps(left, c + r * ldc) : _mm512_setzero_ps();
    sum[r][1] = load ? _mm512_maskz_loadu_ps(right, c + r * ldc + 16) : _mm512_setzero_ps();
  }
  for (int64_t block = 0; block < k; block += kPairStep, a += kPanel * kPairStep) {
    for (int64_t pair = 0; pair < kPairStep / 2; ++pair, b += 2 * kPanel) {
      const __m512i b0 = _mm512_loadu_si512(b);
      const __m512i b1 = _mm512_loadu_si512(b + 32);
      for (int r = 0; r < kRows; ++r) {
        int32_t two;
        memcpy(&two, a + r * kPairStep + 2 * pair, sizeof two);
        const __m512i av = _mm512_set1_epi32(two);
        add_pairs(sum[r][0], av, b0);
        add_pairs(sum[r][1], av, b1);
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    if (r >= rows) break;
    _mm512_mask_storeu_ps(c + r * ldc, left, sum[r][0]);
    _mm512_mask_storeu_ps(c + r * ldc + 16, right, sum[r][1]);
  }
}

}  // namespace

void panel_pairs(const void* a, const void* b, int64_t strip_stride, int64_t k, float* c,
                 int64_t ldc, int64_t rows, int64_t columns, bool accumulate, Ahead) {
  const auto* panel = static_cast<const uint16_t*>(a);
  const auto* strip = static_cast<const uint16_t*>(b);
  for (int64_t n = 0; n < columns; n += kPanel, strip += strip_stride) {
    const int64_t width = columns - n < kPanel ? columns - n : kPanel;
    const uint32_t mask = static_cast<uint32_t>((uint64_t{1} << width) - 1);
    for (int64_t r = 0; r < rows; r += kRows)
      multiply_8x32(panel + r * kPairStep, strip, k, c + r * ldc + n, ldc, rows - r,
                    static_cast<__mmask16>(mask), static_cast<__mmask16>(mask >> 16), accumulate);
  }
}

void to_bf16(const float* source, int64_t ld_source, uint16_t* destination, int64_t ld_destination,
             int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; ++r) {
    const float* from = source + r * ld_source;
    uint16_t* to = destination + r * ld_destination;
    for (int64_t i = 0; i < columns; i += 32) {
      const int64_t rest = columns - i;
      const uint32_t mask = rest >= 32 ? ~0u : (1u << rest) - 1;
      const __m512 low = _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), from + i);
      const __m512 high = _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask >> 16), from + i + 16);
      _mm512_mask_storeu_epi16(to + i, mask, (__m512i)_mm512_cvtne2ps_pbh(high, low));
    }
  }
}

}  // namespace bantam::cpu::x86_bf16
