#include <math.h>

#include "cpu/optimiser/optimiser.h"

// The formula of optimiser.h, written out: what the other instruction sets are tested against.

namespace bantam::cpu::scalar {

void adamw(const AdamwSettings& s, float* p, float* m, float* v, const float* gradient, int64_t n) {
  const float inverse1 = 1.0f / s.correction1, inverse2 = 1.0f / s.correction2;
  const float rest1 = 1.0f - s.beta1, rest2 = 1.0f - s.beta2;
  for (int64_t i = 0; i < n; ++i) {
    const float g = gradient[i] * s.factor;
    m[i] = fmaf(s.beta1, m[i], rest1 * g);
    v[i] = fmaf(s.beta2, v[i], rest2 * g * g);
    const float step = m[i] * inverse1 / (sqrtf(v[i] * inverse2) + s.eps);
    p[i] = fmaf(-s.lr, fmaf(s.weight_decay, p[i], step), p[i]);
  }
}

}  // namespace bantam::cpu::scalar
