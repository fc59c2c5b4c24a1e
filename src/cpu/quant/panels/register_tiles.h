#pragma once

// Panels for instruction sets with registers for 8 weight rows x 4 activations: their sums stay
// there for as many groups as weights are unpacked at a time, into the nearest cache. T:
//
//   T::V              vectors of four weight rows; what they are asked for is in formats.h
//   T::Rows           the four activations of a tile, 32 elements of each
//   T::put(x, i, to)  one of them
//   T::Group<F>       8 unpacked weight rows, likewise: set(part, levels, scales) for four of them,
//                     add(rows, acc)
//   T::store(acc, m, y)  the sums of an activation with all of them

#include "cpu/quant/block_rows.h"
#include "cpu/quant/lanes_neon.h"
#include "cpu/quant/panels/every_format.h"

namespace bantam::cpu::quant {
namespace {

constexpr int kTileRows = 4;    // activations
constexpr int kTileParts = 2;   // vectors of weight rows
constexpr int kTileSums = 8;    // vectors of sums
constexpr int kMostTiles = 16;  // in a panel
constexpr int kUnpacked = 32;   // groups of 32 elements at a time

// Chains of products stay side by side, as they are written: in turn they would wait.
[[gnu::always_inline]] inline void keep_order() {
  __asm__ volatile("" ::: "memory");
}

struct TileLanes : CentredLanes<LanesNeon> {
  using LanesNeon::set1;
  BANTAM_QUANT_INLINE Floats set1(Floats v) { return v; }
};

// Tile by tile, then group by group.
template <class T>
void pack_tiles(const BlockQ8A* x, const PanelPart& part, int64_t k, void* panel) {
  const int64_t groups = k / 32;
  for (int64_t i = 0; i < part.count; ++i) {
    const int64_t row = part.first + i;
    auto* to = (typename T::Rows*)panel + row / kTileRows * groups;
    for (int64_t g = 0; g < groups; ++g) T::put(*x++, (int)(row % kTileRows), to[g]);
  }
}

template <class T, class F>
void eight_rows(const typename T::Rows* x, const uint8_t* w, int first, float* y,
                const QuantLinearShape& shape) {
  using V = typename T::V;
  const int64_t groups = shape.k / 32, tiles = (shape.m + kTileRows - 1) / kTileRows;
  typename V::Floats acc[kMostTiles][kTileSums];
  for (int t = 0; t < tiles; ++t) {
    for (int s = 0; s < kTileSums; ++s) acc[t][s] = V::set1(0.0f);
  }
  typename T::template Group<F> unpacked[kUnpacked];
  ResultLines<kTileParts * V::kRows> lines(y, shape);
  for (int64_t begin = 0; begin < groups; begin += kUnpacked) {
    const int count = (int)(groups - begin < kUnpacked ? groups - begin : kUnpacked);
    lines.fetch(begin + count);
    for (int g = 0; g < count; g += F::kGroups, w += kRowGroup * F::kBytes) {
      fetch_ahead<F>(w);
      for (int part = 0; part < kTileParts; ++part) {
        const auto keep = [&](int s, const typename V::Ints* levels,
                              const typename F::Scales& scales) __attribute__((always_inline)) {
          typename V::Ints centred[8];
          for (int j = 0; j < 8; ++j) centred[j] = V::sub_bytes(levels[j], V::bytes(F::kOffset));
          unpacked[g + s].set(part, centred, scales);
        };
        F::unpack(InterleavedRows<V>{w, first + part * V::kRows}, keep);
      }
    }
    for (int t = 0; t < tiles; ++t) {
      const typename T::Rows* rows = x + t * groups + begin;
      typename V::Floats sums[kTileSums];
      for (int s = 0; s < kTileSums; ++s) sums[s] = acc[t][s];
      for (int g = 0; g < count; ++g) unpacked[g].add(rows[g], sums);
      for (int s = 0; s < kTileSums; ++s) acc[t][s] = sums[s];
    }
  }
  for (int m = 0; m < shape.m; ++m) {
    T::store(acc[m / kTileRows], m % kTileRows, y + m * shape.y_stride);
  }
}

template <class T>
struct TileKernels {
  template <class F>
  static void multiply_panel(const void* panel, const uint8_t* w, float* y,
                             const QuantLinearShape& shape) {
    constexpr int kRows = kTileParts * T::V::kRows;
    const int64_t group_bytes = shape.k / 32 / F::kGroups * kRowGroup * F::kBytes;
    for (int64_t n = 0; n < shape.n; n += kRows) {
      eight_rows<T, F>((const typename T::Rows*)panel, w + n / kRowGroup * group_bytes,
                       (int)(n % kRowGroup), y + n, shape);
    }
  }
  template <class F>
  static constexpr PanelLinear linear = multiply_panel<F>;
};

template <class T>
constexpr PanelKernels tile_panels(LeastRows least) {
  return panels_of_every_format<typename T::V, TileKernels<T>>(kMostTiles * kTileRows, kTileRows,
                                                               sizeof(typename T::Rows) / kTileRows,
                                                               pack_tiles<T>, least);
}

}  // namespace
}  // namespace bantam::cpu::quant
