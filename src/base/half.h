#pragma once

// Conversions between float and the 16-bit formats, in integer arithmetic: the same bits on every
// machine. `static inline`, so that kernel files compiled for one instruction set may include it.

#include <stdint.h>
#include <string.h>

namespace bantam {

static inline uint32_t float_bits(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static inline float bits_float(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

// IEEE 754 binary16 to binary32: exact; signalling NaNs become quiet, as in hardware.
static inline float f16_to_float(uint16_t h) {
  const uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
  const uint32_t exponent = (h >> 10) & 0x1fu;
  const uint32_t mantissa = h & 0x3ffu;
  if (exponent == 0) {  // zero and subnormals: mantissa * 2^-24, exact in float
    return bits_float(sign | float_bits((float)(int32_t)mantissa * 0x1p-24f));
  }
  if (exponent == 31) {
    return bits_float(sign | 0x7f800000u | (mantissa << 13) | (mantissa ? 0x400000u : 0u));
  }
  return bits_float(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

// Rounds to nearest, ties to even; too large becomes infinity, NaN stays NaN.
static inline uint16_t float_to_f16(float x) {
  const uint32_t bits = float_bits(x);
  const uint16_t sign = (uint16_t)((bits >> 16) & 0x8000u);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) {
    return (uint16_t)(sign | 0x7e00u | ((magnitude >> 13) & 0x1ffu));
  }
  if (magnitude >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u);
  if (magnitude < 0x38800000u) {
    // Adding 0.5 leaves the value in units of 2^-24 in the low bits, rounded by the addition.
    const float shifted = bits_float(magnitude) + 0.5f;
    return (uint16_t)(sign | (uint16_t)(float_bits(shifted) - 0x3f000000u));
  }
  const uint32_t rebased = magnitude - 0x38000000u;
  return (uint16_t)(sign | ((rebased + 0xfffu + ((rebased >> 13) & 1u)) >> 13));
}

static inline float bf16_to_float(uint16_t b) {
  return bits_float((uint32_t)b << 16);
}

// Rounds to nearest, ties to even; NaN stays NaN.
static inline uint16_t float_to_bf16(float x) {
  const uint32_t bits = float_bits(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)((bits >> 16) | 0x40u);
  return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

}  // namespace bantam
