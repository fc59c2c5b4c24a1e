#pragma once

#include "cpu/quant/formats.h"
#include "cpu/quant/quant.h"

namespace bantam::cpu::quant {

// kRows weight rows against `count` rows of activations. Each block of weights is unpacked once.
template <class V, class F, int kMost>
BANTAM_QUANT_INLINE void row_tile(const BlockQ8A* x, const uint8_t* w, float* y, int count,
                                  const QuantLinearShape& shape) {
  const int64_t groups = shape.k / 32, stride = groups / F::kGroups * F::kBytes;
  typename V::Floats acc[kMost];
  for (int m = 0; m < count; ++m) acc[m] = V::set1(0.0f);
  for (int64_t g = 0; g < groups; g += F::kGroups, w += F::kBytes) {
    F::unpack(
        w, stride,
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
  for (int m = 0; m < count; ++m) V::store(y + m * shape.y_stride, acc[m]);
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
      if (count == 1) {
        row_tile<V, F, 1>(xm, w + n * stride, ym, 1, shape);
      } else {
        row_tile<V, F, kMost>(xm, w + n * stride, ym, count, shape);
      }
    }
  }
}

}  // namespace bantam::cpu::quant
