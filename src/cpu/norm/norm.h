#pragma once

#include <stdint.h>

// RMS normalisation (Zhang & Sennrich 2019) of rows of C channels, x, y, dy, dx: [rows, C],
// weight w: [C].
//
//   r    = 1 / sqrt(mean_i(x_i^2) + eps)
//   y_i  = (x_i r) w_i
//
//   dx_i = r (g_i - x_i k),  g_i = dy_i w_i,  k = mean_i(g_i x_i) r^2
//   dw_i = sum over rows of dy_i (x_i r)
//
// Layer normalisation (Ba et al. 2016) with a bias b: [C].
//
//   z_i  = (x_i - mean(x)) r,  r = 1 / sqrt(mean_i((x_i - mean(x))^2) + eps)
//   y_i  = z_i w_i + b_i
//
//   dx_i = r (g_i - mean(g) - z_i mean_i(g_i z_i)),  g_i = dy_i w_i
//   dw_i = sum over rows of dy_i z_i,  db_i = sum over rows of dy_i
//
// Arithmetic is float; sums over a row run in 16 lanes (lane j takes elements i = j mod 16 in
// order, with fma) that are then added as a tree, j with j + 8, j + 4, j + 2, j + 1. Every
// instruction set gives the same bits. Pointers need no alignment.

namespace bantam::cpu {

// `y` may be `x` if their types agree.
using RmsNormFn = void (*)(const void* x, const float* w, void* y, int64_t rows, int64_t C,
                           float eps);
// Adds this call's rows to `dw` in order. `dx` may be `x` or `dy` if their types agree.
using RmsNormGradFn = void (*)(const void* x, const float* w, const void* dy, void* dx, float* dw,
                               int64_t rows, int64_t C, float eps);

using LayerNormFn = void (*)(const void* x, const float* w, const float* b, void* y, int64_t rows,
                             int64_t C, float eps);
// Adds this call's rows to `dw` and `db` in order.
using LayerNormGradFn = void (*)(const void* x, const float* w, const void* dy, void* dx, float* dw,
                                 float* db, int64_t rows, int64_t C, float eps);

// One instruction set's kernels, by element type: 0 = float, 1 = bf16.
struct NormKernels {
  RmsNormFn rms_norm[2][2];              // [x][y]
  RmsNormGradFn rms_norm_grad[2][2][2];  // [x][dy][dx]
  LayerNormFn layer_norm[2][2];
  LayerNormGradFn layer_norm_grad[2][2][2];
};

// Defined in the file named after the instruction set.
namespace scalar {
extern const NormKernels kNormKernels;
}
namespace x86_avx2 {
extern const NormKernels kNormKernels;
}
namespace x86_avx512 {
extern const NormKernels kNormKernels;
}
namespace arm_neon {
extern const NormKernels kNormKernels;
}

}  // namespace bantam::cpu
