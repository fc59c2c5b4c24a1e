#include "cpu/quant/lanes_512.h"
#include "cpu/quant/row_tile.h"

namespace bantam::cpu::x86_amx {

namespace {

using V = quant::Lanes512;

constexpr int kTileRows = 16;  // activations per tile
constexpr int kMost = 64;      // activations per pass over the weights

// Tile registers: 0..3 sums of 16 activations x 16 weight rows, 4 activations, 5 weights.
struct TileShapes {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

// GCC's tile instructions do not say which memory they read.
[[gnu::always_inline]] inline void finish_stores(const void* written) {
  __asm__ volatile("" ::"r"(written) : "memory");
}

// `depth`: elements of k per product, 32 or 16.
void configure(int depth) {
  TileShapes shapes;
  for (int t = 0; t < 4; ++t) {
    shapes.row_bytes[t] = 64;
    shapes.rows[t] = kTileRows;
  }
  shapes.row_bytes[4] = (uint16_t)depth;
  shapes.rows[4] = kTileRows;
  shapes.row_bytes[5] = 64;
  shapes.rows[5] = (uint8_t)(depth / 4);
  finish_stores(&shapes);
  _tile_loadconfig(&shapes);
}

// Sums of 16 activation rows against the unpacked weights of one group, [kSums][16][16].
template <int kSums>
[[gnu::always_inline]] inline void multiply(const int8_t* x, int64_t x_stride,
                                            const __m512i* weights, int32_t* sums) {
  for (int h = 0; h < kSums; ++h) {
    _tile_zero(0);
    _tile_loadd(4, x + 16 * h, x_stride);
    _tile_loadd(5, weights + 4 * h, 64);
    _tile_dpbsud(0, 4, 5);
    _tile_stored(0, sums + h * 256, 64);
  }
}

// As quant::row_tile, from `in` on and with `block_step` bytes to the next block, for a count that
// is a multiple of 16: the integer sums come from tiles, the rest of the arithmetic is the same.
template <class F, class Rows>
void tile(const BlockQ8A* x, Rows in, int64_t block_step, float* y, int count,
          const QuantLinearShape& shape) {
  const int64_t groups = shape.k / 32;
  const auto x_stride = groups * (int64_t)sizeof(BlockQ8A);
  alignas(64) __m512 acc[kMost];
  alignas(64) int32_t sums[F::kSums * 256];
  for (int m = 0; m < count; ++m) acc[m] = _mm512_setzero_ps();
  for (int64_t g = 0; g < groups; g += F::kGroups, in.p += block_step) {
    F::unpack(
        in, [&](int s, const __m512i* unpacked, const typename F::Scales& scales)
                __attribute__((always_inline)) {
                  alignas(64) __m512i weights[8];
                  for (int j = 0; j < 8; ++j) _mm512_store_si512(weights + j, unpacked[j]);
                  finish_stores(weights);
                  for (int m = 0; m < count; m += kTileRows) {
                    const BlockQ8A* xb = x + m * groups + g + s;
                    multiply<F::kSums>(xb->q, x_stride, weights, sums);
                    for (int r = 0; r < kTileRows; ++r, xb += groups) {
                      __m512i isum[F::kSums];
                      for (int h = 0; h < F::kSums; ++h) {
                        isum[h] = _mm512_load_si512(sums + h * 256 + r * 16);
                      }
                      acc[m + r] = F::finish(isum, scales, *xb, acc[m + r]);
                    }
                  }
                });
  }
  for (int m = 0; m < count; ++m) V::store(y + m * shape.y_stride, acc[m]);
}

template <class F, bool kInterleaved>
void linear(const BlockQ8A* x, const uint8_t* w, float* y, const QuantLinearShape& shape) {
  const int64_t groups = shape.k / 32, stride = groups / F::kGroups * F::kBytes;
  const int64_t in_tiles = shape.m / kTileRows * kTileRows;
  if (in_tiles > 0) {
    configure(32 / F::kSums);
    for (int64_t m = 0; m < in_tiles; m += kMost) {
      const int count = (int)(in_tiles - m < kMost ? in_tiles - m : kMost);
      for (int64_t n = 0; n < shape.n; n += V::kRows) {
        const BlockQ8A* xm = x + m * groups;
        float* ym = y + m * shape.y_stride + n;
        if constexpr (kInterleaved) {
          const quant::InterleavedRows<V> in{w + n * stride, 0};
          tile<F>(xm, in, V::kRows * F::kBytes, ym, count, shape);
        } else {
          tile<F>(xm, quant::PlainRows<V>{w + n * stride, stride}, F::kBytes, ym, count, shape);
        }
      }
    }
    _tile_release();
  }
  if (in_tiles == shape.m) return;
  QuantLinearShape rest = shape;
  rest.m -= in_tiles;
  constexpr auto kRest = kInterleaved ? quant::linear_interleaved<V, F> : quant::linear<V, F>;
  kRest(x + in_tiles * groups, w, y + in_tiles * shape.y_stride, rest);
}

struct TileKernels {
  template <class F>
  static constexpr QuantLinear rows = linear<F, false>;
  template <class F>
  static constexpr QuantLinear groups = linear<F, true>;
};

}  // namespace

extern const QuantKernels quant_kernels;
constinit const QuantKernels quant_kernels =
    quant::every_format<V, TileKernels>(quant::quantize_512, V::kRows);

}  // namespace bantam::cpu::x86_amx
