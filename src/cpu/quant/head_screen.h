#pragma once

#include "tensor/blocks.h"
#include "tensor/tensor.h"

namespace bantam {
class ThreadPool;
}

namespace bantam::cpu {

// A coarse copy of a matrix W [V, K] in q8_0 or q6_k that tells which rows cannot give a large
// product. With W' its rows in q4_0 and y, y' the products of a row w, w' with x as quant.h
// computes them,
//
//   |y - y'| <= bound |x|,   bound = |w - w'| + e (|w| + |w'|)
//
// in Euclidean norms. The first term is Cauchy and Schwarz's for exact sums. Rounding adds to y at
// most (K / 32 + 4) u times the sum over the halves of groups of 32 of |w_h . x_h|, which |w| |x|
// exceeds (q6_k rounds d scale, its product with an integer, the sum of the halves, and one fma for
// each group; q8_0 two of these; u = 2^-24), to y' likewise; e is twice that and leaves room for
// the rounding of y' + bound |x| itself.
struct HeadScreen {
  Tensor codes;   // q4_0 [V, K], interleaved where there is a whole group of rows
  Tensor bounds;  // f32 [V], rounded up; not finite where w is not
};

HeadScreen make_head_screen(const TensorView& w, ThreadPool& pool);

// |x|, rounded up, of a row of q8a blocks.
float norm_above(const BlockQ8A* x, int64_t blocks);

// Products below this |x| may lose bits to underflow, for which the bound leaves no room.
inline constexpr float kLeastNorm = 1e-20f;

}  // namespace bantam::cpu
