#include "cpu/matmul/lanes_512.h"
#include "cpu/matmul/matmul.h"
#include "cpu/matmul/tiles_amx.h"

// Weights are the left operand, whose tiles are rows as they lie in memory; activations are packed
// as the right one, and sums turned over at the end. A tile is 16 weight rows x 16 rows of
// activations x 32 elements.

namespace bantam::cpu::x86_amx {
namespace {

constexpr int64_t kHalf = kPanel / 2;

void pack(const float* x, int64_t k, int64_t rows, uint16_t* panel) {
  constexpr int64_t kPiece = 512;  // elements of k
  alignas(64) uint16_t rounded[kPanel * kPiece];
  for (int64_t at = 0; at < k; at += kPiece) {
    const int64_t length = k - at < kPiece ? k - at : kPiece;
    x86_bf16::to_bf16(x + at, k, rounded, kPiece, rows, length);
    x86_avx512::pack_pairs_b(rounded, kPiece, true, rows, length, panel + at * kPanel);
  }
}

// 32 weight rows, of which `valid` are there, and where their tiles can be read.
struct WeightRows {
  const uint16_t* w;
  int64_t k, valid;
  alignas(64) uint16_t edge[kPanel * kPairStep];

  struct Place {
    const uint16_t* at;
    int64_t stride;  // bytes
  };
  // Elements k0 .. k0 + 31, of which those beyond the matrix are zero.
  Place from(int64_t k0) {
    if (valid == kPanel && k0 + kPairStep <= k) return {w + k0, k * 2};
    const int64_t length = k - k0 < kPairStep ? k - k0 : kPairStep;
    memset(edge, 0, sizeof edge);
    for (int64_t r = 0; r < valid; ++r) {
      memcpy(edge + r * kPairStep, w + r * k + k0, static_cast<size_t>(length) * sizeof *edge);
    }
    __asm__ volatile("" ::"r"(edge) : "memory");
    return {edge, kPairStep * 2};
  }
};

// sums[weight row][row of activations] of a panel, whose second half may be left out.
void multiply_panel(const uint16_t* panel, WeightRows& weights, bool both, float* sums) {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t k0 = 0; k0 < weights.k; k0 += kPairStep, panel += kPanel * kPairStep) {
    const WeightRows::Place place = weights.from(k0);
    _tile_loadd(4, place.at, place.stride);
    _tile_loadd(6, panel, kPanel * 4);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(5, place.at + kHalf * place.stride / 2, place.stride);
    _tile_dpbf16ps(2, 5, 6);
    if (!both) continue;
    _tile_loadd(7, panel + kPanel, kPanel * 4);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, sums, kPanel * 4);
  _tile_stored(2, sums + kHalf * kPanel, kPanel * 4);
  if (both) {
    _tile_stored(1, sums + kHalf, kPanel * 4);
    _tile_stored(3, sums + kHalf * kPanel + kHalf, kPanel * 4);
  }
  __asm__ volatile("" ::"r"(sums) : "memory");
}

// y[m][n] = sums[n][m]
void turn_over(const float* sums, int64_t rows, int64_t columns, float* y, int64_t ldy) {
  const auto* bytes = reinterpret_cast<const char*>(sums);
  for (int64_t n = 0; n < columns; n += 16) {
    const auto mask = static_cast<__mmask16>(columns - n >= 16 ? 0xffff : (1 << (columns - n)) - 1);
    for (int64_t m = 0; m < rows; m += 4) {
      __m512i in[4], out[4];
      for (int64_t i = 0; i < 4; ++i) {
        in[i] = load_lanes(bytes + ((n + i) * kPanel + m) * 4, 4 * kPanel * 4);
      }
      transpose_4x4(in, out);
      for (int64_t i = 0; i < 4 && m + i < rows; ++i) {
        _mm512_mask_storeu_ps(y + (m + i) * ldy + n, mask, _mm512_castsi512_ps(out[i]));
      }
    }
  }
}

void multiply(const uint16_t* panels, const uint16_t* w, int64_t k, int64_t rows, int64_t n,
              float* y, int64_t ldy) {
  configure_tiles();
  alignas(64) float sums[kPanel * kPanel];
  for (int64_t c = 0; c < n; c += kPanel) {
    WeightRows weights{w + c * k, k, n - c < kPanel ? n - c : kPanel, {}};
    const uint16_t* panel = panels;
    for (int64_t m = 0; m < rows; m += kPanel, panel += kPanel * padded(k)) {
      const int64_t height = rows - m < kPanel ? rows - m : kPanel;
      multiply_panel(panel, weights, height > kHalf, sums);
      turn_over(sums, height, weights.valid, y + m * ldy + c, ldy);
    }
  }
  _tile_release();
}

}  // namespace

extern const RoundedKernels rounded_kernels;
constinit const RoundedKernels rounded_kernels{kPanel, pack, multiply};

}  // namespace bantam::cpu::x86_amx
