#pragma once

#include <cstdint>
#include <cstring>

#include "base/half.h"

namespace bantam::quantize {

// Nearest integer, ties to even, for |x| < 2^22: adding 1.5 * 2^23 leaves it in the low bits.
inline int nearest(float x) {
  const float shifted = x + 12582912.0f;
  return static_cast<int32_t>(float_bits(shifted) & 0x007fffffu) - 0x00400000;
}

// nearest(x) limited to [low, high]; NaN gives low.
inline int level(float x, float low, float high) {
  const float bounded = x < high ? x : high;
  return nearest(bounded > low ? bounded : low);
}

// An f16 that is finite: scales too large for the format are cut off.
inline uint16_t finite_f16(float x) {
  const uint16_t h = float_to_f16(x);
  return (h & 0x7c00u) == 0x7c00u ? static_cast<uint16_t>((h & 0x8000u) | 0x7bffu) : h;
}

inline float inverse(float x) {
  return x != 0.0f ? 1.0f / x : 0.0f;
}

// Weights of the squared error of n values (n a multiple of 8): large values matter more.
void error_weights(const float* x, int n, float* weights);

// The scale d for which x ~ d * q with q in [-range, range - 1] has the least weighted squared
// error, among about twenty candidates, each improved by least squares. Signed, 0 if all x are 0.
float fit_scale(const float* x, const float* weights, int n, int range);

// x ~ scale * q + minimum with q in [0, levels].
struct Affine {
  float scale = 0.0f, minimum = 0.0f;
};

// The pair with the least weighted squared error, found in the same way; if `below_zero`, the
// minimum is at most 0.
Affine fit_affine(const float* x, const float* weights, int n, int levels, bool below_zero);

// The same with both numbers rounded to f16, unless the plain rule (smallest and largest value
// exact) is better after rounding.
Affine fit_affine_f16(const float* x, const float* weights, int n, int levels);

// Weighted squared error of x ~ scale * q + minimum with the best q in [0, levels].
float affine_error(const float* x, const float* weights, int n, int levels, Affine affine);

}  // namespace bantam::quantize
