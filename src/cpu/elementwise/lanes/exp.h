#pragma once

#include "cpu/elementwise/exp_constants.h"
#include "cpu/elementwise/lanes/lanes.h"

namespace bantam::cpu {

// e^x as in exp_constants.h.
template <class L>
inline typename L::F exp(typename L::F x) {
  x = L::min(L::set(kExpHigh), L::max(L::set(kExpLow), x));
  const auto magic = L::set(kRoundMagic);
  const auto shifted = L::fma(x, L::set(kLog2E), magic);
  const auto n = L::sub(shifted, magic);
  auto r = L::fma(n, L::set(-kLn2High), x);
  r = L::fma(n, L::set(-kLn2Low), r);
  auto p = L::fma(L::set(kExpC6), r, L::set(kExpC5));
  constexpr float kRest[] = {kExpC4, kExpC3, kExpC2, 1.0f, 1.0f};
  for (const float c : kRest) p = L::fma(p, r, L::set(c));

  const auto exponent = L::subi(L::as_int(shifted), L::as_int(magic));
  const auto half = L::halve(exponent);
  const auto power = [](auto e) {  // 2^e
    return L::as_float(L::template shift_left<23>(L::addi(e, L::seti(127))));
  };
  return L::mul(L::mul(p, power(half)), power(L::subi(exponent, half)));
}

// 1 / (1 + e^-x)
template <class L>
inline typename L::F sigmoid(typename L::F x) {
  const auto one = L::set(1.0f);
  return L::div(one, L::add(one, exp<L>(L::sub(L::set(0.0f), x))));
}

// ln(1 + e^x) = max(x, 0) + ln(1 + u), u = e^-|x|, with ln(1 + u) = 2 artanh(s), s = u / (2 + u) <=
// 1/3: the series up to s^15 is exact to float.
template <class L>
inline typename L::F softplus(typename L::F x) {
  const auto zero = L::set(0.0f);
  const auto u = exp<L>(L::sub(zero, L::max(L::sub(zero, x), x)));
  const auto s = L::div(u, L::add(L::set(2.0f), u));
  const auto z = L::mul(s, s);
  constexpr float kSeries[] = {1.0f / 13, 1.0f / 11, 1.0f / 9, 1.0f / 7, 1.0f / 5, 1.0f / 3, 1.0f};
  auto p = L::set(1.0f / 15);
  for (const float c : kSeries) p = L::fma(p, z, L::set(c));
  return L::fma(L::add(s, s), p, L::max(zero, x));
}

// x / (1 + e^-x)
template <class L>
inline typename L::F silu(typename L::F x) {
  return L::div(x, L::add(L::set(1.0f), exp<L>(L::sub(L::set(0.0f), x))));
}

}  // namespace bantam::cpu
