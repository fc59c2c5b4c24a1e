#pragma once

#include <stdint.h>

// Softmax over rows of C floats, x, y, dy, dx: [rows, C].
//
//   y_i  = e^(x_i - max x) / sum_j e^(x_j - max x)
//   dx_i = y_i (dy_i - sum_j y_j dy_j)
//
// e^x is that of elementwise/exp_constants.h, sums run in 16 lanes as in norm/norm.h; y is the
// exponential times the rounded reciprocal of the sum. Every instruction set gives the same bits.
// A row with a NaN, with +infinity, or of nothing but -infinity is all NaN. Outputs may be inputs.
// Pointers need no alignment.

namespace bantam::cpu {

using SoftmaxFn = void (*)(const float* x, float* y, int64_t rows, int64_t C);
using SoftmaxGradFn = void (*)(const float* y, const float* dy, float* dx, int64_t rows, int64_t C);

struct SoftmaxKernels {
  SoftmaxFn softmax;
  SoftmaxGradFn softmax_grad;
};

// Defined in the file named after the instruction set.
namespace scalar {
extern const SoftmaxKernels kSoftmaxKernels;
}
namespace x86_avx2 {
extern const SoftmaxKernels kSoftmaxKernels;
}
namespace x86_avx512 {
extern const SoftmaxKernels kSoftmaxKernels;
}
namespace arm_neon {
extern const SoftmaxKernels kSoftmaxKernels;
}

}  // namespace bantam::cpu
