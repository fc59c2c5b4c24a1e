#include <arm_neon.h>
#include <string.h>

#include "cpu/matmul/matmul.h"

namespace bantam::cpu::arm_bf16 {
namespace {

bfloat16x8_t load(const uint16_t* p) {
  return vreinterpretq_bf16_u16(vld1q_u16(p));
}

float reduce(float32x4_t v) {
  const float32x2_t two = vadd_f32(vget_low_f32(v), vget_high_f32(v));
  return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}

// R rows of x against C rows of w.
template <int R, int C>
void tile(const uint16_t* x, const uint16_t* w, int64_t k, float* y, int64_t ldy) {
  const int64_t ldx = padded(k);
  float32x4_t sum[R][C];
  for (int r = 0; r < R; ++r)
    for (int c = 0; c < C; ++c) sum[r][c] = vdupq_n_f32(0.0f);
  const auto step = [&](int64_t i, const uint16_t* at, int64_t stride)
      __attribute__((always_inline)) {
    bfloat16x8_t rows[R];
    for (int r = 0; r < R; ++r) rows[r] = load(x + r * ldx + i);
    for (int c = 0; c < C; ++c) {
      const bfloat16x8_t weights = load(at + c * stride);
      for (int r = 0; r < R; ++r) sum[r][c] = vbfdotq_f32(sum[r][c], rows[r], weights);
    }
  };
  int64_t i = 0;
  for (; i + 8 <= k; i += 8) step(i, w + i, k);
  if (i < k) {
    uint16_t edge[C][8] = {};
    for (int c = 0; c < C; ++c) {
      memcpy(edge[c], w + c * k + i, static_cast<size_t>(k - i) * sizeof(uint16_t));
    }
    step(i, edge[0], 8);
  }
  for (int r = 0; r < R; ++r)
    for (int c = 0; c < C; ++c) y[r * ldy + c] = reduce(sum[r][c]);
}

template <int R, int C>
void columns(const uint16_t* x, const uint16_t* w, int64_t k, int64_t n, float* y, int64_t ldy) {
  int64_t c = 0;
  for (; c + C <= n; c += C) tile<R, C>(x, w + c * k, k, y + c, ldy);
  for (; c < n; ++c) tile<R, 1>(x, w + c * k, k, y + c, ldy);
}

void pack(const float* x, int64_t k, int64_t, uint16_t* panel) {
  to_bf16(x, k, panel, k, 1, k);
  memset(panel + k, 0, static_cast<size_t>(padded(k) - k) * sizeof *panel);
}

void multiply(const uint16_t* x, const uint16_t* w, int64_t k, int64_t rows, int64_t n, float* y,
              int64_t ldy) {
  const int64_t ldx = padded(k);
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4) columns<4, 4>(x + r * ldx, w, k, n, y + r * ldy, ldy);
  for (; r + 2 <= rows; r += 2) columns<2, 4>(x + r * ldx, w, k, n, y + r * ldy, ldy);
  if (r < rows) columns<1, 4>(x + r * ldx, w, k, n, y + r * ldy, ldy);
}

}  // namespace

extern const RoundedKernels rounded_kernels;
constinit const RoundedKernels rounded_kernels{1, pack, multiply};

}  // namespace bantam::cpu::arm_bf16
