#pragma once

#include <cstdint>

#include "tensor/blocks.h"
#include "tensor/tensor.h"

namespace bantam::cpu {

// Every row_multiple of a kernel divides it, and a chunk of rows begins at a multiple of it.
inline constexpr int64_t kRowMultiple = 16;

// Whether there are kernels for weights of this type and layout.
bool has_linear_rows(const TensorView& weights);

// y[m][n] = x[m] w[begin + n] for the rows begin .. end - 1 of a quantised matrix w (or of several
// that follow each other), with begin a multiple of kRowMultiple if they are interleaved, and m
// rows of activations, q8a [m, K]; y_stride elements from one row of y to the next.
void linear_rows(const TensorView& w, int64_t begin, int64_t end, const BlockQ8A* x, int64_t m,
                 float* y, int64_t y_stride);

}  // namespace bantam::cpu
