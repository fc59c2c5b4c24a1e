#pragma once

#include "cpu/elementwise/lanes/lanes.h"
#include "cpu/optimiser/optimiser.h"

namespace bantam::cpu {

// optimiser.h over the lanes L of an instruction set.
template <class L>
void adamw_over_lanes(const AdamwSettings& s, float* p, float* m, float* v, const float* gradient,
                      int64_t n) {
  const auto beta1 = L::set(s.beta1), rest1 = L::set(1.0f - s.beta1);
  const auto beta2 = L::set(s.beta2), rest2 = L::set(1.0f - s.beta2);
  const auto inverse1 = L::set(1.0f / s.correction1), inverse2 = L::set(1.0f / s.correction2);
  const auto minus_lr = L::set(-s.lr), eps = L::set(s.eps), decay = L::set(s.weight_decay);
  const auto factor = L::set(s.factor);
  for_blocks<L>(n, [&](int64_t i, auto count) {
    const auto g = L::mul(load<L>(gradient + i, count), factor);
    const auto mi = L::fma(beta1, load<L>(m + i, count), L::mul(rest1, g));
    const auto vi = L::fma(beta2, load<L>(v + i, count), L::mul(L::mul(rest2, g), g));
    const auto pi = load<L>(p + i, count);
    const auto root = L::add(L::sqrt(L::mul(vi, inverse2)), eps);
    const auto step = L::fma(decay, pi, L::div(L::mul(mi, inverse1), root));
    store<L>(m + i, mi, count);
    store<L>(v + i, vi, count);
    store<L>(p + i, L::fma(minus_lr, step, pi), count);
  });
}

}  // namespace bantam::cpu
