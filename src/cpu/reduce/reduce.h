#pragma once

#include <stdint.h>

// Sums in a fixed order, and the broadcasts over rows that are their gradients. Element types:
// 0 = float, 1 = bf16; arithmetic is float. Sums of n elements run in 16 lanes as in norm/norm.h.
// Every instruction set gives the same bits. Pointers need no alignment.

namespace bantam::cpu {

// sum_i x_i, or sum_i x_i^2 with fma.
using SumFn = float (*)(const void* x, int64_t n);
// sums_i += sum over rows of x_i, the rows in order; x: [rows, C].
using ColumnSumFn = void (*)(const void* x, float* sums, int64_t rows, int64_t C);
// y_i = x_i op r for each row; x, y: [rows, C], r: [rows]. `y` may be `x`.
using RowsFn = void (*)(const float* x, const float* r, float* y, int64_t rows, int64_t C);

struct ReduceKernels {
  SumFn sum[2];
  SumFn sum_squares[2];
  ColumnSumFn column_sum[2];
  RowsFn mul_rows;
  RowsFn add_rows;
};

// Defined in the file named after the instruction set.
namespace scalar {
extern const ReduceKernels kReduceKernels;
}
namespace x86_avx2 {
extern const ReduceKernels kReduceKernels;
}
namespace x86_avx512 {
extern const ReduceKernels kReduceKernels;
}
namespace arm_neon {
extern const ReduceKernels kReduceKernels;
}

}  // namespace bantam::cpu
