#include "cpu/matmul/lanes_512.h"
#include "cpu/matmul/matmul.h"

namespace bantam::cpu::x86_avx512 {
namespace {

struct WeightF32 {
  using Type = float;
  static __m512 load(const float* p) { return _mm512_loadu_ps(p); }
  static __m512 load(const float* p, __mmask16 mask) { return _mm512_maskz_loadu_ps(mask, p); }
};
struct WeightF16 {
  using Type = uint16_t;
  static __m512 widen(__m256i bits) { return _mm512_cvtph_ps(bits); }
  static __m512 load(const uint16_t* p) {
    return widen(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static __m512 load(const uint16_t* p, __mmask16 mask) {
    return widen(_mm256_maskz_loadu_epi16(mask, p));
  }
};
struct WeightBf16 {
  using Type = uint16_t;
  static __m512 widen(__m256i bits) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
  }
  static __m512 load(const uint16_t* p) {
    return widen(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static __m512 load(const uint16_t* p, __mmask16 mask) {
    return widen(_mm256_maskz_loadu_epi16(mask, p));
  }
};

// R rows of x against C rows of w, C a multiple of 4. Outputs from `valid` on are not stored (their
// weights repeat the last valid row).
template <class W, int R, int C>
void tile(const float* x, int64_t ldx, const typename W::Type* w, int64_t k, float* y, int64_t ldy,
          int64_t valid) {
  __m512 sum[R][C];
  const typename W::Type* weight[C];
  for (int c = 0; c < C; ++c) weight[c] = w + (c < valid ? c : valid - 1) * k;
  for (int r = 0; r < R; ++r)
    for (int c = 0; c < C; ++c) sum[r][c] = _mm512_setzero_ps();
  int64_t i = 0;
  for (; i + 16 <= k; i += 16) {
    __m512 wv[C];
    for (int c = 0; c < C; ++c) wv[c] = W::load(weight[c] + i);
    for (int r = 0; r < R; ++r) {
      const __m512 xv = _mm512_loadu_ps(x + r * ldx + i);
      for (int c = 0; c < C; ++c) sum[r][c] = _mm512_fmadd_ps(xv, wv[c], sum[r][c]);
    }
  }
  if (i < k) {
    const auto mask = static_cast<__mmask16>((1u << (k - i)) - 1);
    for (int c = 0; c < C; ++c) {
      const __m512 wv = W::load(weight[c] + i, mask);
      for (int r = 0; r < R; ++r)
        sum[r][c] = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, x + r * ldx + i), wv, sum[r][c]);
    }
  }
  store_sums<R, C>(sum, y, ldy, valid);
}

template <class W>
void linear(const float* x, int64_t ldx, const void* weights, int64_t k, int64_t rows, int64_t n,
            float* y, int64_t ldy) {
  const auto* w = static_cast<const typename W::Type*>(weights);
  if (rows == 1) {
    for (int64_t c = 0; c < n; c += 8) tile<W, 1, 8>(x, ldx, w + c * k, k, y + c, ldy, n - c);
    return;
  }
  for (int64_t c = 0; c < n; c += 4) {
    const auto* wc = w + c * k;
    int64_t r = 0;
    for (; r + 6 <= rows; r += 6)
      tile<W, 6, 4>(x + r * ldx, ldx, wc, k, y + r * ldy + c, ldy, n - c);
    for (; r + 2 <= rows; r += 2)
      tile<W, 2, 4>(x + r * ldx, ldx, wc, k, y + r * ldy + c, ldy, n - c);
    if (r < rows) tile<W, 1, 4>(x + r * ldx, ldx, wc, k, y + r * ldy + c, ldy, n - c);
  }
}

constexpr int kRows = 8;

void multiply_8x32(const float* a, const float* b, int64_t k, float* c, int64_t ldc, int64_t rows,
                   __mmask16 left, __mmask16 right, bool accumulate) {
  __m512 sum[kRows][2];
  for (int r = 0; r < kRows; ++r) {
    const bool load = accumulate && r < rows;
    sum[r][0] = load ? _mm512_maskz_loadu_ps(left, c + r * ldc) : _mm512_setzero_ps();
    sum[r][1] = load ? _mm512_maskz_loadu_ps(right, c + r * ldc + 16) : _mm512_setzero_ps();
  }
  for (int64_t i = 0; i < k; ++i, a += kPanel, b += kPanel) {
    const __m512 b0 = _mm512_loadu_ps(b), b1 = _mm512_loadu_ps(b + 16);
    for (int r = 0; r < kRows; ++r) {
      const __m512 av = _mm512_set1_ps(a[r]);
      sum[r][0] = _mm512_fmadd_ps(av, b0, sum[r][0]);
      sum[r][1] = _mm512_fmadd_ps(av, b1, sum[r][1]);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    if (r >= rows) break;
    _mm512_mask_storeu_ps(c + r * ldc, left, sum[r][0]);
    _mm512_mask_storeu_ps(c + r * ldc + 16, right, sum[r][1]);
  }
}

}  // namespace

void linear_f32(const float* x, int64_t ldx, const void* w, int64_t k, int64_t rows, int64_t n,
                float* y, int64_t ldy) {
  linear<WeightF32>(x, ldx, w, k, rows, n, y, ldy);
}

void linear_f16(const float* x, int64_t ldx, const void* w, int64_t k, int64_t rows, int64_t n,
                float* y, int64_t ldy) {
  linear<WeightF16>(x, ldx, w, k, rows, n, y, ldy);
}

void linear_bf16(const float* x, int64_t ldx, const void* w, int64_t k, int64_t rows, int64_t n,
                 float* y, int64_t ldy) {
  linear<WeightBf16>(x, ldx, w, k, rows, n, y, ldy);
}

void panel_f32(const void* a, const void* b, int64_t strip_stride, int64_t k, float* c, int64_t ldc,
               int64_t rows, int64_t columns, bool accumulate, Ahead) {
  const auto* panel = static_cast<const float*>(a);
  const auto* strip = static_cast<const float*>(b);
  for (int64_t n = 0; n < columns; n += kPanel, strip += strip_stride) {
    const int64_t width = columns - n < kPanel ? columns - n : kPanel;
    const auto mask = static_cast<uint32_t>((uint64_t{1} << width) - 1);
    for (int64_t r = 0; r < rows; r += kRows)
      multiply_8x32(panel + r, strip, k, c + r * ldc + n, ldc, rows - r,
                    static_cast<__mmask16>(mask), static_cast<__mmask16>(mask >> 16), accumulate);
  }
}

void to_bf16(const float* source, int64_t ld_source, uint16_t* destination, int64_t ld_destination,
             int64_t rows, int64_t columns) {
  const __m512i one = _mm512_set1_epi32(1), bias = _mm512_set1_epi32(0x7fff);
  const __m512i quiet = _mm512_set1_epi32(0x400000);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < columns; i += 16) {
      const int64_t rest = columns - i;
      const auto mask = static_cast<__mmask16>(rest >= 16 ? 0xffffu : (1u << rest) - 1);
      const __m512 value = _mm512_maskz_loadu_ps(mask, source + r * ld_source + i);
      const __m512i bits = _mm512_castps_si512(value);
      const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), one);
      __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(bits, bias), odd);
      const __mmask16 nan = _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q);
      rounded = _mm512_mask_or_epi32(rounded, nan, bits, quiet);
      const __m256i halves = _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16));
      _mm256_mask_storeu_epi16(destination + r * ld_destination + i, mask, halves);
    }
  }
}

}  // namespace bantam::cpu::x86_avx512
