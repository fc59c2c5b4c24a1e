#pragma once

#include <stdint.h>

// Rotary position embedding (Su et al. 2021) of the first R = rotary_dims of the D channels of each
// head; the others are copied. For pair i of R / 2 and a row at position p:
//
//   angle = p theta^(-2i / R) / factor_i
//   (y_a, y_b) = (x_a cos - x_b sin, x_b cos + x_a sin)
//
// where (a, b) is (2i, 2i + 1) if pairs are interleaved, (i, i + R / 2) if they are halves. Angles
// are double, sines and cosines are rounded to float once per position and shared by all heads.
// Every instruction set gives the same bits; a row depends on nothing but its own position.

namespace bantam::cpu {

enum class RopeLayout { interleaved, halves };

// Floats in the table row of one position, laid out as the kernels read it:
//   interleaved   cos_0 cos_0 cos_1 cos_1 ..., then -sin_0 sin_0 -sin_1 sin_1 ...
//   halves        cos_0 cos_1 ..., then sin_0 sin_1 ...
constexpr int64_t rope_row_floats(RopeLayout layout, int64_t pairs) {
  return layout == RopeLayout::interleaved ? 4 * pairs : 2 * pairs;
}

// frequency_i = theta^(-i / pairs) / factor_i, times `scale`; with a `context` (YaRN, Peng et al.
// 2023) only as far as ramp_i says, which goes from 0 to 1 between the pairs that turn beta_fast
// and beta_slow times within it.
struct RopeFrequencies {
  double theta;
  const float* factors = nullptr;  // [pairs]
  double scale = 1, context = 0, beta_fast = 32, beta_slow = 1;
};
void rope_frequencies(const RopeFrequencies& f, int64_t pairs, double* frequencies);

// The table row of one position; `inverse` rotates by the negative angle. Sines and cosines are
// multiplied by `magnitude`.
void rope_table_row(RopeLayout layout, int64_t position, const double* frequencies, int64_t pairs,
                    bool inverse, float* row, float magnitude = 1);

// One row: x, y: [heads, D]; `table`: its position's row. `y` may be `x`.
using RopeFn = void (*)(const void* x, const float* table, void* y, int64_t heads, int64_t D,
                        int64_t pairs);

struct RopeKernels {
  RopeFn rope[2][2];  // [layout][0 = float, 1 = bf16]
};

// Defined in the file named after the instruction set.
namespace scalar {
extern const RopeKernels kRopeKernels;
}
namespace x86_avx2 {
extern const RopeKernels kRopeKernels;
}
namespace x86_avx512 {
extern const RopeKernels kRopeKernels;
}
namespace arm_neon {
extern const RopeKernels kRopeKernels;
}

}  // namespace bantam::cpu
