#pragma once

// Products of 8-bit activations and block-quantised weights.
//
//   quantize   x f32 [M, K] -> q8a [M, K]
//   linear     y[m, n] = sum over k of x[m, k] w[n, k],   x q8a [M, K], w quantised [N, K]
//
// The arithmetic of a row is fixed, so that every instruction set, thread count and number of rows
// gives the same bits. For each group b of 32 elements, in order, with exact integer sums
// isum = sum of q_w q_x and sum_x = sum of q_x over the group, or over its halves where these have
// scales of their own (products of scales, and d_x sum_x, are rounded from left to right, fma
// rounds once):
//
//   q8_0  acc = fma(isum, d_w d_x, acc)                       q_w: the signed byte
//   q4_0  acc = fma(isum, d_w d_x, acc)                       q_w: the nibble - 8
//   q4_1  acc = fma(isum, d_w d_x, acc); acc = fma(m_w, d_x sum_x, acc)
//   q4_k  acc = fma(isum, (d scale) d_x, acc); acc = fma(-(dmin min), d_x sum_x, acc)
//   q5_k  as q4_k
//   q6_k  acc = fma(fma(d scale0, isum0, (d scale1) isum1), d_x, acc)
//
// and all other formats, in the terms of tensor/unpack.h, as q4_0 if a group has one scale, with
// d scale for d_w, or as q4_1 if it has a minimum, too. If its halves have scales of their own, as
// q6_k; q2_k adds its minima m minimum0 and m minimum1 in turn within:
//
//   t = fma(d scale0, isum0, (d scale1) isum1)
//   acc = fma(fma(m minimum1, sum_x1, fma(m minimum0, sum_x0, t)), d_x, acc)
//
// Weights are read as they lie in the file, or, by the kernels `interleaved`, in groups of 16 rows
// as tensor/layout.h says: the same arithmetic, the same bits.

#include <stdint.h>

#include "tensor/blocks.h"

namespace bantam::cpu {

enum WeightFormat {
  kQ8_0,
  kQ4_0,
  kQ4_1,
  kQ4_K,
  kQ5_K,
  kQ6_K,
  kQ5_0,
  kQ5_1,
  kQ2_K,
  kQ3_K,
  kTQ1_0,
  kTQ2_0,
  kIQ4_NL,
  kIQ4_XS,
  kMXFP4,
  kIQ2_XXS,
  kIQ2_XS,
  kIQ2_S,
  kIQ3_XXS,
  kIQ3_S,
  kIQ1_S,
  kIQ1_M,
  kWeightFormats
};

struct QuantLinearShape {
  int64_t m, n, k;   // n: a multiple of QuantKernels::row_multiple; k: of the block length
  int64_t y_stride;  // elements from one row of y to the next
};

using QuantLinear = void (*)(const BlockQ8A* x, const uint8_t* w, float* y,
                             const QuantLinearShape& shape);

struct QuantKernels {
  int64_t row_multiple;
  // `blocks` groups of 32 elements. NaN, infinity and tiny blocks as tensor/blocks.h says.
  void (*quantize)(const float* x, BlockQ8A* q, int64_t blocks);
  // w: the first byte of the first of n rows that follow each other. Null where an instruction set
  // has nothing better for a format than those below it.
  QuantLinear linear[kWeightFormats];
  // w: the first byte of n / 16 groups.
  QuantLinear interleaved[kWeightFormats];
};

}  // namespace bantam::cpu
