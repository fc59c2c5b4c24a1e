#include <arm_neon.h>
#include <string.h>

#include "cpu/matmul/matmul.h"

namespace bantam::cpu::arm_neon {
namespace {

struct WeightF32 {
  using Type = float;
  static float32x4_t load(const float* p) { return vld1q_f32(p); }
};
struct WeightF16 {
  using Type = uint16_t;
  static float32x4_t load(const uint16_t* p) {
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
  }
};
struct WeightBf16 {
  using Type = uint16_t;
  static float32x4_t load(const uint16_t* p) {
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16));
  }
};

float reduce(const float32x4_t* v) {
  const float32x4_t four = vaddq_f32(vaddq_f32(v[0], v[2]), vaddq_f32(v[1], v[3]));
  const float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
  return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}

// Adds 16 elements of R rows of x times C rows of w to the lanes.
template <class W, int R, int C>
inline void step(const float* const* x, const typename W::Type* const* w, int64_t i,
                 float32x4_t (&sum)[R][C][4]) {
  for (int quad = 0; quad < 4; ++quad) {
    float32x4_t xv[R];
    for (int r = 0; r < R; ++r) xv[r] = vld1q_f32(x[r] + i + 4 * quad);
    for (int c = 0; c < C; ++c) {
      const float32x4_t wv = W::load(w[c] + i + 4 * quad);
      for (int r = 0; r < R; ++r) sum[r][c][quad] = vfmaq_f32(sum[r][c][quad], xv[r], wv);
    }
  }
}

template <class W, int R, int C>
void tile(const float* x, int64_t ldx, const typename W::Type* w, int64_t k, float* y,
          int64_t ldy) {
  using T = typename W::Type;
  float32x4_t sum[R][C][4];
  const float* rows[R];
  const T* weights[C];
  for (int r = 0; r < R; ++r) rows[r] = x + r * ldx;
  for (int c = 0; c < C; ++c) weights[c] = w + c * k;
  for (int r = 0; r < R; ++r)
    for (int c = 0; c < C; ++c)
      for (int quad = 0; quad < 4; ++quad) sum[r][c][quad] = vdupq_n_f32(0.0f);
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
    for (int c = 0; c < C; ++c) y[r * ldy + c] = reduce(sum[r][c]);
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

// 4 x 16 of C; partial blocks go through `edge`.
void multiply_4x16(const float* a, const float* b, int64_t k, float* c, int64_t ldc,
                   bool accumulate) {
  float32x4_t sum[4][4];
  for (int r = 0; r < 4; ++r)
    for (int q = 0; q < 4; ++q)
      sum[r][q] = accumulate ? vld1q_f32(c + r * ldc + 4 * q) : vdupq_n_f32(0.0f);
  for (int64_t i = 0; i < k; ++i, a += kPanel, b += kPanel) {
    const float32x4_t av = vld1q_f32(a);
    for (int q = 0; q < 4; ++q) {
      const float32x4_t bv = vld1q_f32(b + 4 * q);
      sum[0][q] = vfmaq_laneq_f32(sum[0][q], bv, av, 0);
      sum[1][q] = vfmaq_laneq_f32(sum[1][q], bv, av, 1);
      sum[2][q] = vfmaq_laneq_f32(sum[2][q], bv, av, 2);
      sum[3][q] = vfmaq_laneq_f32(sum[3][q], bv, av, 3);
    }
  }
  for (int r = 0; r < 4; ++r)
    for (int q = 0; q < 4; ++q) vst1q_f32(c + r * ldc + 4 * q, sum[r][q]);
}

void copy_block(const float* from, int64_t from_stride, float* to, int64_t to_stride, int64_t rows,
                int64_t width) {
  for (int64_t r = 0; r < rows; ++r)
    memcpy(to + r * to_stride, from + r * from_stride, static_cast<size_t>(width) * 4);
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
  for (int64_t n = 0; n < columns; n += 16) {
    const float* strip = static_cast<const float*>(b) + n / kPanel * strip_stride + n % kPanel;
    const int64_t width = columns - n < 16 ? columns - n : 16;
    for (int64_t r = 0; r < rows; r += 4) {
      const float* panel = static_cast<const float*>(a) + r;
      float* block = c + r * ldc + n;
      const int64_t height = rows - r < 4 ? rows - r : 4;
      if (width == 16 && height == 4) {
        multiply_4x16(panel, strip, k, block, ldc, accumulate);
        continue;
      }
      float edge[4 * 16] = {};
      if (accumulate) copy_block(block, ldc, edge, 16, height, width);
      multiply_4x16(panel, strip, k, edge, 16, accumulate);
      copy_block(edge, 16, block, ldc, height, width);
    }
  }
}

}  // namespace bantam::cpu::arm_neon
