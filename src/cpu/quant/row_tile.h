#pragma once

#include <stddef.h>

#include "cpu/quant/block_rows.h"
#include "cpu/quant/every_format.h"
#include "cpu/quant/quant.h"

namespace bantam::cpu::quant {

// Activations of a tile stay in the second-level cache.
inline constexpr int kMostActivations = 64;

// Adds one block of V::kRows rows to their products with `count` rows of activations; each block of
// weights is unpacked once.
template <class V, class F, class Rows>
BANTAM_QUANT_INLINE void add_block(const Rows& in, const BlockQ8A* x, int64_t groups, int count,
                                   typename V::Floats* acc) {
  F::unpack(
      in, [&](int s, const typename V::Ints* weights, const typename F::Scales& scales)
              __attribute__((always_inline)) {
                const BlockQ8A* xb = x + s;
                for (int m = 0; m < count; ++m, xb += groups) {
                  typename V::Ints isum[F::kSums];
                  F::dot(weights, xb->q, isum);
                  acc[m] = F::finish(isum, scales, *xb, acc[m]);
                }
              });
}

// `rows` weight rows, at most V::kRows, against `count` rows of activations; where rows are
// missing, from a copy in which they are zero.
template <class V, class F, int kMost>
BANTAM_QUANT_INLINE void row_tile(const BlockQ8A* x, const uint8_t* w, float* y, int rows,
                                  int count, const QuantLinearShape& shape) {
  const int64_t groups = shape.k / 32, stride = groups / F::kGroups * F::kBytes;
  typename V::Floats acc[kMost];
  for (int m = 0; m < count; ++m) acc[m] = V::set1(0.0f);
  const bool whole = rows == V::kRows;
  const int64_t step = whole ? stride : F::kBytes;
  uint8_t copy[V::kRows * F::kBytes];
  if (!whole) __builtin_memset(copy, 0, sizeof copy);
  for (int64_t g = 0; g < groups; g += F::kGroups, w += F::kBytes) {
    for (int r = 0; !whole && r < rows; ++r) {
      __builtin_memcpy(copy + r * F::kBytes, w + r * stride, F::kBytes);
    }
    add_block<V, F>(PlainRows<V>{whole ? w : copy, step}, x + g, groups, count, acc);
  }
  for (int m = 0; m < count; ++m) {
    float results[V::kRows];
    float* ym = y + m * shape.y_stride;
    V::store(whole ? ym : results, acc[m]);
    if (!whole) __builtin_memcpy(ym, results, (size_t)rows * sizeof(float));
  }
}

template <class V, class F>
void linear(const BlockQ8A* x, const uint8_t* w, float* y, const QuantLinearShape& shape) {
  const int64_t groups = shape.k / 32, stride = groups / F::kGroups * F::kBytes;
  for (int64_t m = 0; m < shape.m; m += kMostActivations) {
    const int count = (int)(shape.m - m < kMostActivations ? shape.m - m : kMostActivations);
    for (int64_t n = 0; n < shape.n; n += V::kRows) {
      const BlockQ8A* xm = x + m * groups;
      float* ym = y + m * shape.y_stride + n;
      const int rows = (int)(shape.n - n < V::kRows ? shape.n - n : V::kRows);
      if (count == 1) {
        row_tile<V, F, 1>(xm, w + n * stride, ym, rows, 1, shape);
      } else {
        row_tile<V, F, kMostActivations>(xm, w + n * stride, ym, rows, count, shape);
      }
    }
  }
}

// A group of 16 interleaved rows against `count` rows of activations.
template <class V, class F, int kMost>
BANTAM_QUANT_INLINE void group_tile(const BlockQ8A* x, const uint8_t* w, float* y, int count,
                                    const QuantLinearShape& shape) {
  constexpr int kParts = kRowGroup / V::kRows;
  const int64_t groups = shape.k / 32;
  typename V::Floats acc[kParts][kMost];
  for (int part = 0; part < kParts; ++part) {
    for (int m = 0; m < count; ++m) acc[part][m] = V::set1(0.0f);
  }
  for (int64_t g = 0; g < groups; g += F::kGroups, w += kRowGroup * F::kBytes) {
    fetch_ahead<F>(w);
    for (int part = 0; part < kParts; ++part) {
      add_block<V, F>(InterleavedRows<V>{w, part * V::kRows}, x + g, groups, count, acc[part]);
    }
  }
  for (int m = 0; m < count; ++m) {
    for (int part = 0; part < kParts; ++part) {
      V::store(y + m * shape.y_stride + part * V::kRows, acc[part][m]);
    }
  }
}

template <class V, class F>
void linear_interleaved(const BlockQ8A* x, const uint8_t* w, float* y,
                        const QuantLinearShape& shape) {
  const int64_t groups = shape.k / 32, stride = groups / F::kGroups * F::kBytes;
  for (int64_t m = 0; m < shape.m; m += kMostActivations) {
    const int count = (int)(shape.m - m < kMostActivations ? shape.m - m : kMostActivations);
    for (int64_t n = 0; n < shape.n; n += kRowGroup) {
      const BlockQ8A* xm = x + m * groups;
      float* ym = y + m * shape.y_stride + n;
      if (count == 1) {
        group_tile<V, F, 1>(xm, w + n * stride, ym, 1, shape);
      } else {
        group_tile<V, F, kMostActivations>(xm, w + n * stride, ym, count, shape);
      }
    }
  }
}

template <class V>
struct RowKernels {
  template <class F>
  static constexpr QuantLinear rows = linear<V, F>;
  template <class F>
  static constexpr QuantLinear groups = linear_interleaved<V, F>;
};

// The kernels of an instruction set whose vectors know all that the formats ask for.
template <class V, class Kernels = RowKernels<V>>
constexpr QuantKernels every_format(void (*quantize)(const float*, BlockQ8A*, int64_t),
                                    int64_t row_multiple = 1) {
  QuantKernels all{row_multiple, quantize, {}, {}};
  with_every_format<V>([&]<class... F>() {
    int at = 0;
    ((all.linear[at++] = Kernels::template rows<F>), ...);
  });
  with_interleaved_formats<V>([&]<class... F>() {
    int at = 0;
    ((all.interleaved[at++] = Kernels::template groups<F>), ...);
  });
  return all;
}

}  // namespace bantam::cpu::quant
