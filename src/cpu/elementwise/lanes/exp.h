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

// 1 - 2 / (1 + e^2x), to an absolute 1e-7
template <class L>
inline typename L::F tanh(typename L::F x) {
  const auto one = L::set(1.0f), two = L::set(2.0f);
  return L::sub(one, L::div(two, L::add(exp<L>(L::add(x, x)), one)));
}

// x / (1 + e^-2u), u = sqrt(2 / pi) (x + 0.044715 x^3): (1 + tanh u) / 2 is a sigmoid
template <class L>
inline typename L::F gelu(typename L::F x) {
  const auto square = L::mul(x, x);
  const auto inner = L::fma(L::mul(square, x), L::set(0.044715f), x);
  const auto e = exp<L>(L::mul(inner, L::set(-1.5957691216f)));
  return L::div(x, L::add(L::set(1.0f), e));
}

// erfc(x) for x >= 0 to an absolute 1.5e-7 (Abramowitz & Stegun 1964, 7.1.26)
template <class L>
inline typename L::F erfc(typename L::F x) {
  const auto one = L::set(1.0f);
  const auto t = L::div(one, L::fma(x, L::set(0.3275911f), one));
  auto p = L::set(1.061405429f);
  constexpr float kRest[] = {-1.453152027f, 1.421413741f, -0.284496736f, 0.254829592f, 0.0f};
  for (const float c : kRest) p = L::fma(p, t, L::set(c));
  return L::mul(p, exp<L>(L::sub(L::set(0.0f), L::mul(x, x))));
}

template <class L>
inline typename L::F magnitude(typename L::F x) {
  return L::max(L::sub(L::set(0.0f), x), x);
}

template <class L>
inline typename L::F erf(typename L::F x) {
  const auto y = L::sub(L::set(1.0f), erfc<L>(magnitude<L>(x)));
  const auto sign = L::template shift_left<31>(L::template shift_right<31>(L::as_int(x)));
  return L::as_float(L::xori(L::as_int(y), sign));
}

// x Phi(x) = max(x, 0) - |x| erfc(|x| / sqrt 2) / 2
template <class L>
inline typename L::F gelu_erf(typename L::F x) {
  const auto size = L::min(L::set(16.0f), magnitude<L>(x));
  const auto tail = erfc<L>(L::mul(size, L::set(0.70710678f)));
  return L::sub(L::max(L::set(0.0f), x), L::mul(L::mul(size, L::set(0.5f)), tail));
}

}  // namespace bantam::cpu
