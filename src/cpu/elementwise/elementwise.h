#pragma once

#include <stdint.h>

// Elementwise kernels over n elements. Element types are named by 0 = float, 1 = bf16, 2 = f16;
// arithmetic is float, rounded once when stored. Outputs may be any input whose type agrees.
// e^x is that of exp_constants.h, all but softplus else correctly rounded: every instruction set
// gives the same bits. Pointers need no alignment.

namespace bantam::cpu {

enum Unary {
  kScale,       // x * parameter
  kShift,       // x + parameter
  kExp,         // e^x
  kRsqrt,       // 1 / sqrt(x)
  kReciprocal,  // 1 / x
  kSigmoid,     // 1 / (1 + e^-x)
  kSilu,        // x / (1 + e^-x)
  kSoftplus,    // ln(1 + e^x), within 3 ulp
  kTanh,        // these four to an absolute 2e-7, see lanes/exp.h
  kErf,
  kGelu,     // x / (1 + e^-2u), u = sqrt(2 / pi) (x + 0.044715 x^3)
  kGeluErf,  // x (1 + erf(x / sqrt 2)) / 2
  kRelu,     // max(x, 0)
  kUnaryCount
};
enum Binary { kAdd, kSub, kMul, kBinaryCount };

using UnaryFn = void (*)(const void* x, void* y, int64_t n, float parameter);
// y_i = a_i op b_i, or a_i op b_0 in the `_one` form; y has a's type.
using BinaryFn = void (*)(const void* a, const void* b, void* y, int64_t n);
using CastFn = void (*)(const void* x, void* y, int64_t n);
// y = silu(gate) * up (Shazeer 2020)
using SwigluFn = void (*)(const void* gate, const void* up, void* y, int64_t n);
// s = sigmoid(gate), y = gate s:  dgate = dy up (s + y (1 - s)), dup = dy y
using SwigluGradFn = void (*)(const void* gate, const void* up, const void* dy, void* dgate,
                              void* dup, int64_t n);

// Element i is kept if the upper 24 bits of hash(i) reach `threshold` = p 2^24, and then scaled:
//   hash(i) = mix(mix(low32(i) ^ key[0]) + key[1] + high32(i))
//   mix(h): h ^= h >> 16; h *= 0x7feb352d; h ^= h >> 15; h *= 0x846ca68b; h ^= h >> 16
// (constants: Wellons' search for low bias). The mask depends on nothing but i and the key.
struct DropoutMask {
  uint32_t key[2];
  uint32_t threshold;
  float scale;
};
// x and y point to element `first`, a multiple of 16.
using DropoutFn = void (*)(const void* x, void* y, int64_t first, int64_t n,
                           const DropoutMask& mask);

struct ElementwiseKernels {
  UnaryFn unary[kUnaryCount][2];        // [x = y]
  BinaryFn binary[kBinaryCount][2][2];  // [a = y][b]
  BinaryFn binary_one[kBinaryCount][2][2];
  CastFn cast[3][3];                  // [x][y]
  SwigluFn swiglu[2];                 // [gate = up = y]
  SwigluGradFn swiglu_grad[2][2][2];  // [gate = up][dy][dgate = dup]
  DropoutFn dropout[2];               // [x = y]
};

// Defined in the file named after the instruction set.
namespace scalar {
extern const ElementwiseKernels kElementwiseKernels;
}
namespace x86_avx2 {
extern const ElementwiseKernels kElementwiseKernels;
}
namespace x86_avx512 {
extern const ElementwiseKernels kElementwiseKernels;
}
namespace arm_neon {
extern const ElementwiseKernels kElementwiseKernels;
}

}  // namespace bantam::cpu
