#include "cpu/matmul/lanes_512.h"
#include "cpu/matmul/matmul.h"

namespace bantam::cpu::x86_bf16 {
namespace {

// R rows of x against C rows of w, C a multiple of 4. Outputs from `valid` on are not stored (their
// weights repeat the last valid row).
template <int R, int C>
void tile(const uint16_t* x, const uint16_t* w, int64_t k, float* y, int64_t ldy, int64_t valid) {
  const int64_t ldx = padded(k);
  __m512 sum[R][C];
  const uint16_t* weight[C];
  for (int c = 0; c < C; ++c) weight[c] = w + (c < valid ? c : valid - 1) * k;
  for (int r = 0; r < R; ++r)
    for (int c = 0; c < C; ++c) sum[r][c] = _mm512_setzero_ps();
  int64_t i = 0;
  const auto step = [&](const __m512i* wv) __attribute__((always_inline)) {
    for (int r = 0; r < R; ++r) {
      const __m512i xv = _mm512_loadu_si512(x + r * ldx + i);
      for (int c = 0; c < C; ++c) add_pairs(sum[r][c], xv, wv[c]);
    }
  };
  __m512i wv[C];
  for (; i + 32 <= k; i += 32) {
    for (int c = 0; c < C; ++c) wv[c] = _mm512_loadu_si512(weight[c] + i);
    step(wv);
  }
  if (i < k) {
    const auto mask = static_cast<__mmask32>((1u << (k - i)) - 1);
    for (int c = 0; c < C; ++c) wv[c] = _mm512_maskz_loadu_epi16(mask, weight[c] + i);
    step(wv);
  }
  store_sums<R, C>(sum, y, ldy, valid);
}

void pack(const float* x, int64_t k, int64_t, uint16_t* panel) {
  to_bf16(x, k, panel, k, 1, k);
  memset(panel + k, 0, static_cast<size_t>(padded(k) - k) * sizeof *panel);
}

void multiply(const uint16_t* x, const uint16_t* w, int64_t k, int64_t rows, int64_t n, float* y,
              int64_t ldy) {
  const int64_t ldx = padded(k);
  if (rows == 1) {
    for (int64_t c = 0; c < n; c += 8) tile<1, 8>(x, w + c * k, k, y + c, ldy, n - c);
    return;
  }
  // As many rows at a time as leave the first-level cache room for weights.
  constexpr int64_t kBytes = 24576, kTile = 6;
  const int64_t fit = kBytes / (2 * ldx) / kTile * kTile, some = fit > kTile ? fit : kTile;
  for (int64_t first = 0; first < rows; first += some) {
    const int64_t last = first + some < rows ? first + some : rows;
    for (int64_t c = 0; c < n; c += 4) {
      const uint16_t* wc = w + c * k;
      float* yc = y + c;
      int64_t r = first;
      for (; r + kTile <= last; r += kTile) {
        tile<kTile, 4>(x + r * ldx, wc, k, yc + r * ldy, ldy, n - c);
      }
      for (; r + 2 <= last; r += 2) tile<2, 4>(x + r * ldx, wc, k, yc + r * ldy, ldy, n - c);
      if (r < last) tile<1, 4>(x + r * ldx, wc, k, yc + r * ldy, ldy, n - c);
    }
  }
}

}  // namespace

extern const RoundedKernels rounded_kernels;
constinit const RoundedKernels rounded_kernels{1, pack, multiply};

}  // namespace bantam::cpu::x86_bf16
