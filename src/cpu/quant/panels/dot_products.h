#pragma once

// Panels for instruction sets with dot products of bytes. Two vector instructions a cycle are the
// limit, dot products among them: vectors of weight rows share each broadcast of activations, which
// are unsigned bytes q + 128, and what the 128 adds is in the value that a chain of dot products
// starts with. Beside what formats ask for, V has
//
//   V::add_dot(sum, u, s)   sum + the dot products of unsigned with signed bytes
//   V::kKeepsWeights        whether a group of 32 elements fits the registers
//   V::kSums                integer sums, whose chains of dot products alternate, in registers

#include "cpu/quant/block_rows.h"
#include "cpu/quant/formats.h"
#include "cpu/quant/panels/every_format.h"
#include "cpu/quant/panels/panels.h"
#include "cpu/quant/panels/unsigned_blocks.h"

namespace bantam::cpu::quant {
namespace {

constexpr int kPanelRows = 128;  // of activations, at most: their sums stay in the nearest caches

// One group of 32 elements of kParts vectors of weight rows.
template <class V, class F, int kParts>
struct DotWeights {
  using Ints = typename V::Ints;
  using Floats = typename V::Floats;
  using Vectors = Ints[8][kParts];
  static constexpr int kEach = 8 / F::kSums;  // vectors of an integer sum

  Vectors w;
  Ints start[F::kSums][kParts];
  typename F::Scales scales[kParts];

  [[gnu::always_inline]] inline void set(int part, const Ints* levels,
                                         const typename F::Scales& s) {
    for (int h = 0; h < F::kSums; ++h) {
      Ints sum = V::set1(0);
      for (int j = h * kEach; j < (h + 1) * kEach; ++j) {
        w[j][part] = V::sub_bytes(levels[j], V::bytes(F::kOffset));
        sum = V::add_dot(sum, V::bytes(-128), w[j][part]);
      }
      start[h][part] = V::sub(V::set1(0), sum);
    }
    scales[part] = s;
  }

  template <int kCount>
  [[gnu::always_inline]] inline void rows(const PanelBlock* x, const Vectors& vectors,
                                          Floats (*acc)[kParts]) const {
    Ints sum[kCount][kParts][F::kSums];
    for (int j = 0; j < 8; ++j) {
      const int h = j / kEach;
      for (int i = 0; i < kCount; ++i) {
        const Ints xj = V::four((const int8_t*)x[i].u + 4 * j);
        for (int p = 0; p < kParts; ++p) {
          const Ints before = j % kEach == 0 ? start[h][p] : sum[i][p][h];
          sum[i][p][h] = V::add_dot(before, xj, vectors[j][p]);
        }
      }
    }
    for (int i = 0; i < kCount; ++i) {
      for (int p = 0; p < kParts; ++p) {
        acc[i][p] = F::finish(sum[i][p], scales[p], x[i], acc[i][p]);
      }
    }
  }

  [[gnu::always_inline]] inline void multiply(const PanelBlock* x, int count,
                                              Floats (*acc)[kParts]) const {
    if constexpr (V::kKeepsWeights) {
      Vectors kept;
      for (int j = 0; j < 8; ++j) {
        for (int p = 0; p < kParts; ++p) kept[j][p] = w[j][p];
      }
      all_rows(x, count, kept, acc);
    } else {
      all_rows(x, count, w, acc);
    }
  }
  [[gnu::always_inline]] inline void all_rows(const PanelBlock* x, int count,
                                              const Vectors& vectors, Floats (*acc)[kParts]) const {
    constexpr int kTogether = V::kSums / kParts / F::kSums;
    int m = 0;
    for (; m + kTogether <= count; m += kTogether) rows<kTogether>(x + m, vectors, acc + m);
    for (; m < count; ++m) rows<1>(x + m, vectors, acc + m);
  }
};

// kParts vectors of weight rows against a panel.
template <class V, class F, int kParts>
void row_groups(const PanelBlock* x, const uint8_t* w, float* y, const QuantLinearShape& shape) {
  const int64_t groups = shape.k / 32, stride = groups / F::kGroups * kRowGroup * F::kBytes;
  const int count = (int)shape.m;
  alignas(64) typename V::Floats acc[kPanelRows][kParts];
  for (int m = 0; m < count; ++m) {
    for (int p = 0; p < kParts; ++p) acc[m][p] = V::set1(0.0f);
  }
  DotWeights<V, F, kParts> unpacked[F::kGroups];
  ResultLines<kParts * V::kRows> lines(y, shape);
  for (int64_t g = 0; g < groups; g += F::kGroups, w += kRowGroup * F::kBytes) {
    lines.fetch(g + F::kGroups);
    for (int part = 0; part < kParts; ++part) {
      const int row = part * V::kRows;
      if (row % kRowGroup == 0) fetch_ahead<F>(w + row / kRowGroup * stride);
      F::unpack(
          InterleavedRows<V>{w + row / kRowGroup * stride, row % kRowGroup},
          [&](int s, const typename V::Ints* levels, const typename F::Scales& scales)
              __attribute__((always_inline)) { unpacked[s].set(part, levels, scales); });
    }
    for (int s = 0; s < F::kGroups; ++s, x += count) unpacked[s].multiply(x, count, acc);
  }
  for (int m = 0; m < count; ++m) {
    for (int p = 0; p < kParts; ++p) V::store(y + m * shape.y_stride + V::kRows * p, acc[m][p]);
  }
}

template <class V, class F>
void multiply_panel(const void* panel, const uint8_t* w, float* y, const QuantLinearShape& shape) {
  constexpr int kParts = 2, kRows = kParts * V::kRows;
  const int64_t group_bytes = shape.k / 32 / F::kGroups * kRowGroup * F::kBytes;
  const auto* x = (const PanelBlock*)panel;
  int64_t n = 0;
  for (; n + kRows <= shape.n; n += kRows, w += kRows / kRowGroup * group_bytes) {
    row_groups<V, F, kParts>(x, w, y + n, shape);
  }
  if constexpr (kRows > kRowGroup) {
    if (n < shape.n) row_groups<V, F, 1>(x, w, y + n, shape);
  }
}

template <class V>
struct DotPanelKernels {
  template <class F>
  static constexpr PanelLinear linear = multiply_panel<V, F>;
};

}  // namespace
}  // namespace bantam::cpu::quant
