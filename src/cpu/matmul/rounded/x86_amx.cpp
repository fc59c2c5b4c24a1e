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

// --- f16 ---

constexpr int64_t kDepth = 512;  // elements of k whose weights are split at a time
constexpr int64_t kGroup = 4;    // panels that share them

// 32 numbers in f16 as what bf16 has of them and the rest, exactly; infinity has no rest.
void split(__m512i halves, uint16_t* high, uint16_t* low) {
  const auto put = [](__m256i sixteen, uint16_t* to_high, uint16_t* to_low) {
    const __m512 x = _mm512_cvtph_ps(sixteen);
    const __m512i bits = _mm512_castps_si512(x);
    const __m512 upper = _mm512_castsi512_ps(_mm512_and_si512(bits, _mm512_set1_epi32(-65536)));
    const __mmask16 finite =
        _mm512_cmp_ps_mask(_mm512_abs_ps(x), _mm512_set1_ps(65536.0f), _CMP_LT_OQ);
    const __m512i rest = _mm512_castps_si512(_mm512_maskz_sub_ps(finite, x, upper));
    const auto store = [](uint16_t* to, __m512i v) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                          _mm512_cvtepi32_epi16(_mm512_srli_epi32(v, 16)));
    };
    store(to_high, bits);
    store(to_low, rest);
  };
  put(_mm512_castsi512_si256(halves), high, low);
  put(_mm512_extracti64x4_epi64(halves, 1), high + 16, low + 16);
}

// Both parts of elements of 32 weight rows; zero where the matrix has none.
struct SplitRows {
  alignas(64) uint16_t high[kPanel * kDepth], low[kPanel * kDepth];

  void split_rows(const uint16_t* w, int64_t k, int64_t valid, int64_t length) {
    if (valid < kPanel) memset(this, 0, sizeof *this);
    for (int64_t r = 0; r < valid; ++r) {
      const uint16_t* row = w + r * k;
      for (int64_t i = 0; i < length; i += 32) {
        alignas(64) uint16_t edge[32] = {};
        const uint16_t* from = row + i;
        if (length - i < 32) {
          memcpy(edge, from, static_cast<size_t>(length - i) * sizeof *edge);
          from = edge;
        }
        split(_mm512_loadu_si512(from), high + r * kDepth + i, low + r * kDepth + i);
      }
    }
    __asm__ volatile("" ::"r"(this) : "memory");
  }
};

// Adds the products of a panel with one part of the weights.
void add_part(const uint16_t* w, bool both) {
  _tile_loadd(4, w, kDepth * 2);
  _tile_dpbf16ps(0, 4, 6);
  if (both) _tile_dpbf16ps(1, 4, 7);
  _tile_loadd(5, w + kHalf * kDepth, kDepth * 2);
  _tile_dpbf16ps(2, 5, 6);
  if (both) _tile_dpbf16ps(3, 5, 7);
}

// sums += those of `length` elements.
void add_panel(const uint16_t* panel, const SplitRows& weights, int64_t length, bool both,
               float* sums) {
  _tile_loadd(0, sums, kPanel * 4);
  _tile_loadd(1, sums + kHalf, kPanel * 4);
  _tile_loadd(2, sums + kHalf * kPanel, kPanel * 4);
  _tile_loadd(3, sums + kHalf * kPanel + kHalf, kPanel * 4);
  for (int64_t i = 0; i < length; i += kPairStep, panel += kPanel * kPairStep) {
    _tile_loadd(6, panel, kPanel * 4);
    if (both) _tile_loadd(7, panel + kPanel, kPanel * 4);
    add_part(weights.high + i, both);
    add_part(weights.low + i, both);
  }
  _tile_stored(0, sums, kPanel * 4);
  _tile_stored(1, sums + kHalf, kPanel * 4);
  _tile_stored(2, sums + kHalf * kPanel, kPanel * 4);
  _tile_stored(3, sums + kHalf * kPanel + kHalf, kPanel * 4);
  __asm__ volatile("" ::"r"(sums) : "memory");
}

void multiply_f16(const uint16_t* panels, const uint16_t* w, int64_t k, int64_t rows, int64_t n,
                  float* y, int64_t ldy) {
  configure_tiles();
  SplitRows weights;
  alignas(64) float sums[kGroup][kPanel * kPanel];
  for (int64_t c = 0; c < n; c += kPanel) {
    const int64_t valid = n - c < kPanel ? n - c : kPanel;
    for (int64_t m = 0; m < rows; m += kGroup * kPanel) {
      const int64_t end = rows - m < kGroup * kPanel ? rows : m + kGroup * kPanel;
      memset(sums, 0, sizeof sums);
      __asm__ volatile("" ::"r"(sums) : "memory");
      for (int64_t at = 0; at < k; at += kDepth) {
        const int64_t length = k - at < kDepth ? k - at : kDepth;
        weights.split_rows(w + c * k + at, k, valid, length);
        for (int64_t p = m; p < end; p += kPanel) {
          add_panel(panels + p * padded(k) + at * kPanel, weights, length, end - p > kHalf,
                    sums[(p - m) / kPanel]);
        }
      }
      for (int64_t p = m; p < end; p += kPanel) {
        const int64_t height = end - p < kPanel ? end - p : kPanel;
        turn_over(sums[(p - m) / kPanel], height, valid, y + p * ldy + c, ldy);
      }
    }
  }
  _tile_release();
}

}  // namespace

extern const RoundedKernels rounded_kernels;
constinit const RoundedKernels rounded_kernels{kPanel, pack, multiply, multiply_f16};

}  // namespace bantam::cpu::x86_amx
