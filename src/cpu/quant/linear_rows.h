#pragma once

#include <cstdint>

#include "tensor/blocks.h"
#include "tensor/dtype.h"

namespace bantam::cpu {

// Every row_multiple of a kernel divides it.
inline constexpr int64_t kRowMultiple = 16;

// Whether there is a kernel for weights of this type.
bool has_linear_rows(DType weights);

// y[m][n] = x[m] w[n] for `rows` rows of weights that follow each other and m rows of activations:
// w [rows, k] of a quantised type, x q8a [m, k]; y_stride elements from one row of y to the next.
void linear_rows(DType weights, const uint8_t* w, int64_t rows, int64_t k, const BlockQ8A* x,
                 int64_t m, float* y, int64_t y_stride);

}  // namespace bantam::cpu
