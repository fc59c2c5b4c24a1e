#pragma once

// AdamW (Loshchilov & Hutter 2019), in place over float32 parameters p and moments m, v:
//
//   g' = factor g
//   m  = beta1 m + (1 - beta1) g'
//   v  = beta2 v + (1 - beta2) g'^2
//   p  = p - lr ((m / c1) / (sqrt(v / c2) + eps) + weight_decay p),    c_i = 1 - beta_i^t
//
// Element by element, with the same operations on every instruction set: the same bits.

#include <stdint.h>

namespace bantam::cpu {

struct AdamwSettings {
  float lr, beta1, beta2, eps, correction1, correction2, factor, weight_decay;
};

using AdamwFn = void (*)(const AdamwSettings& settings, float* p, float* m, float* v,
                         const float* gradient, int64_t n);

namespace scalar {
void adamw(const AdamwSettings&, float* p, float* m, float* v, const float* gradient, int64_t n);
}
namespace x86_avx2 {
void adamw(const AdamwSettings&, float* p, float* m, float* v, const float* gradient, int64_t n);
}
namespace x86_avx512 {
void adamw(const AdamwSettings&, float* p, float* m, float* v, const float* gradient, int64_t n);
}
namespace arm_neon {
void adamw(const AdamwSettings&, float* p, float* m, float* v, const float* gradient, int64_t n);
}

}  // namespace bantam::cpu
