#pragma once

#include <stddef.h>

#include "cpu/quant/formats.h"
#include "cpu/quant/formats_low.h"
#include "cpu/quant/formats_table.h"
#include "cpu/quant/quant.h"

namespace bantam::cpu::quant {

// `rows` weight rows, at most V::kRows, against `count` rows of activations. Each block of weights
// is unpacked once; where rows are missing, from a copy in which they are zero.
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
    F::unpack(
        whole ? w : copy, step,
        [&](int s, const typename V::Ints* weights, const typename F::Scales& scales)
            __attribute__((always_inline)) {
              const BlockQ8A* xb = x + g + s;
              for (int m = 0; m < count; ++m, xb += groups) {
                typename V::Ints isum[F::kSums];
                F::dot(weights, xb->q, isum);
                acc[m] = F::finish(isum, scales, *xb, acc[m]);
              }
            });
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
  constexpr int kMost = 64;  // activations of a tile stay in the second-level cache
  const int64_t groups = shape.k / 32, stride = groups / F::kGroups * F::kBytes;
  for (int64_t m = 0; m < shape.m; m += kMost) {
    const int count = (int)(shape.m - m < kMost ? shape.m - m : kMost);
    for (int64_t n = 0; n < shape.n; n += V::kRows) {
      const BlockQ8A* xm = x + m * groups;
      float* ym = y + m * shape.y_stride + n;
      const int rows = (int)(shape.n - n < V::kRows ? shape.n - n : V::kRows);
      if (count == 1) {
        row_tile<V, F, 1>(xm, w + n * stride, ym, rows, 1, shape);
      } else {
        row_tile<V, F, kMost>(xm, w + n * stride, ym, rows, count, shape);
      }
    }
  }
}

// The kernels of an instruction set whose vectors know all that the formats ask for.
template <class V>
constexpr QuantKernels every_format(void (*quantize)(const float*, BlockQ8A*, int64_t)) {
  return {1,
          quantize,
          {linear<V, FormatQ8_0<V>>,    linear<V, FormatQ4_0<V>>,   linear<V, FormatQ4_1<V>>,
           linear<V, FormatQ4_K<V>>,    linear<V, FormatQ5_K<V>>,   linear<V, FormatQ6_K<V>>,
           linear<V, FormatQ5_0<V>>,    linear<V, FormatQ5_1<V>>,   linear<V, FormatQ2_K<V>>,
           linear<V, FormatQ3_K<V>>,    linear<V, FormatTQ1_0<V>>,  linear<V, FormatTQ2_0<V>>,
           linear<V, FormatIQ4_NL<V>>,  linear<V, FormatIQ4_XS<V>>, linear<V, FormatMXFP4<V>>,
           linear<V, FormatIQ2_XXS<V>>, linear<V, FormatIQ2_XS<V>>, linear<V, FormatIQ2_S<V>>,
           linear<V, FormatIQ3_XXS<V>>, linear<V, FormatIQ3_S<V>>,  linear<V, FormatIQ1_S<V>>,
           linear<V, FormatIQ1_M<V>>}};
}

}  // namespace bantam::cpu::quant
