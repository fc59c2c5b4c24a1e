#include <immintrin.h>
#include <string.h>

#include "cpu/matmul/matmul.h"

namespace bantam::cpu::x86_avx2 {
namespace {

struct WeightF32 {
  using Type = float;
  static __m256 load(const float* p) { return _mm256_loadu_ps(p); }
};
struct WeightF16 {
  using Type = uint16_t;
  static __m256 load(const uint16_t* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
};
struct WeightBf16 {
  using Type = uint16_t;
  static __m256 load(const uint16_t* p) {
    const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
  }
};

float reduce(__m256 low, __m256 high) {
  const __m256 eight = _mm256_add_ps(low, high);
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

// Adds 16 elements of R rows of x times C rows of w to the lanes.
template <class W, int R, int C>
inline void step(const float* const* x, const typename W::Type* const* w, int64_t i,
                 __m256 (&sum)[R][C][2]) {
  for (int half = 0; half < 2; ++half) {
    __m256 xv[R];
    for (int r = 0; r < R; ++r) xv[r] = _mm256_loadu_ps(x[r] + i + 8 * half);
    for (int c = 0; c < C; ++c) {
      const __m256 wv = W::load(w[c] + i + 8 * half);
      for (int r = 0; r < R; ++r) sum[r][c][half] = _mm256_fmadd_ps(xv[r], wv, sum[r][c][half]);
    }
  }
}

template <class W, int R, int C>
void tile(const float* x, int64_t ldx, const typename W::Type* w, int64_t k, float* y,
          int64_t ldy) {
  using T = typename W::Type;
  __m256 sum[R][C][2];
  const float* rows[R];
  const T* weights[C];
  for (int r = 0; r < R; ++r) rows[r] = x + r * ldx;
  for (int c = 0; c < C; ++c) weights[c] = w + c * k;
  for (int r = 0; r < R; ++r)
    for (int c = 0; c < C; ++c) sum[r][c][0] = sum[r][c][1] = _mm256_setzero_ps();
  int64_t i = 0;
  for (; i + 16 <= k; i += 16) step<W, R, C>(rows, weights, i, sum);
  if (i < k) {
    const auto rest = static_cast<size_t>(k - i);
    float x_tail[R][16] = {};
    T w_tail[C][16] = {};
    for (int r = 0; r < R; ++r) {
      memcpy(x_tail[r], rows[r] + i, rest * sizeof(float));
      rows[r] = x_tail[r];
    }
    for (int c = 0; c < C; ++c) {
      memcpy(w_tail[c], weights[c] + i, rest * sizeof(T));
      weights[c] = w_tail[c];
    }
    step<W, R, C>(rows, weights, 0, sum);
  }
  for (int r = 0; r < R; ++r)
    for (int c = 0; c < C; ++c) y[r * ldy + c] = reduce(sum[r][c][0], sum[r][c][1]);
}

template <class W, int R, int C>
void columns(const float* x, int64_t ldx, const typename W::Type* w, int64_t k, int64_t n, float* y,
             int64_t ldy) {
  int64_t c = 0;
  for (; c + C <= n; c += C) tile<W, R, C>(x, ldx, w + c * k, k, y + c, ldy);
  for (; c < n; ++c) tile<W, R, 1>(x, ldx, w + c * k, k, y + c, ldy);
}

template <class W>
void linear(const float* x, int64_t ldx, const void* weights, int64_t k, int64_t rows, int64_t n,
            float* y, int64_t ldy) {
  const auto* w = static_cast<const typename W::Type*>(weights);
  int64_t r = 0;
  for (; r + 2 <= rows; r += 2) columns<W, 2, 3>(x + r * ldx, ldx, w, k, n, y + r * ldy, ldy);
  if (r < rows) columns<W, 1, 4>(x + r * ldx, ldx, w, k, n, y + r * ldy, ldy);
}

// R x 16 of C; partial blocks go through `edge`. Six rows need 12 sums and keep both multipliers
// busy through their latency.
template <int R>
void multiply(const float* a, const float* b, int64_t k, float* c, int64_t ldc, bool accumulate) {
  __m256 sum[R][2];
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r)
    for (int h = 0; h < 2; ++h)
      sum[r][h] = accumulate ? _mm256_loadu_ps(c + r * ldc + 8 * h) : _mm256_setzero_ps();
  for (int64_t i = 0; i < k; ++i, a += kPanel, b += kPanel) {
    const __m256 b0 = _mm256_loadu_ps(b), b1 = _mm256_loadu_ps(b + 8);
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      const __m256 av = _mm256_broadcast_ss(a + r);
      sum[r][0] = _mm256_fmadd_ps(av, b0, sum[r][0]);
      sum[r][1] = _mm256_fmadd_ps(av, b1, sum[r][1]);
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r)
    for (int h = 0; h < 2; ++h) _mm256_storeu_ps(c + r * ldc + 8 * h, sum[r][h]);
}

void copy_block(const float* from, int64_t from_stride, float* to, int64_t to_stride, int64_t rows,
                int64_t width) {
  for (int64_t r = 0; r < rows; ++r)
    memcpy(to + r * to_stride, from + r * from_stride, static_cast<size_t>(width) * 4);
}

template <int R>
void block(const float* a, const float* b, int64_t k, float* c, int64_t ldc, int64_t rows,
           int64_t width, bool accumulate) {
  if (width == 16 && rows == R) return multiply<R>(a, b, k, c, ldc, accumulate);
  float edge[R * 16] = {};
  if (accumulate) copy_block(c, ldc, edge, 16, rows, width);
  multiply<R>(a, b, k, edge, 16, accumulate);
  copy_block(edge, 16, c, ldc, rows, width);
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

// A panel of 32 rows is four blocks of six and two of four.
void panel_f32(const void* a, const void* b, int64_t strip_stride, int64_t k, float* c, int64_t ldc,
               int64_t rows, int64_t columns, bool accumulate, Ahead) {
  for (int64_t n = 0; n < columns; n += 16) {
    const float* strip = static_cast<const float*>(b) + n / kPanel * strip_stride + n % kPanel;
    const int64_t width = columns - n < 16 ? columns - n : 16;
    for (int64_t r = 0; r < rows;) {
      const auto* panel = static_cast<const float*>(a) + r;
      float* out = c + r * ldc + n;
      const int64_t rest = rows - r;
      if (r < 24 && rest > 4) {
        block<6>(panel, strip, k, out, ldc, rest < 6 ? rest : 6, width, accumulate);
        r += 6;
      } else {
        block<4>(panel, strip, k, out, ldc, rest < 4 ? rest : 4, width, accumulate);
        r += 4;
      }
    }
  }
}

}  // namespace bantam::cpu::x86_avx2
