#pragma once

// e^x in float, the same operations on every instruction set (fma = one rounding):
//
//   x <- max(kExpLow, x), then min(kExpHigh, x)     max(a, b) is a > b ? a : b, so that NaN passes
//   s = fma(x, kLog2E, kRoundMagic)                 rounds x / ln 2 to an integer ...
//   n = s - kRoundMagic                             ... as a float; as an int: bits(s) -
//   bits(magic) r = fma(n, -kLn2Low, fma(n, -kLn2High, x))      |r| <= ln 2 / 2 p = 1 + r (1 + r
//   (c2 + r (c3 + r (c4 + r (c5 + r c6)))))    Horner, one fma per step e^x = (p * 2^(n >> 1)) *
//   2^(n - (n >> 1))       two factors reach subnormals and infinity
//
// Error below 0.9 ulp everywhere, subnormal results included; e^-inf = 0, e^inf = inf.
// c2..c6 interpolate (e^r - 1 - r) / r^2 at the Chebyshev nodes of [-ln 2 / 2, ln 2 / 2].
// Implemented over lanes in elementwise/lanes/exp.h.

namespace bantam::cpu {

inline constexpr float kExpLow = -104.0f;  // e^-104 rounds to 0
inline constexpr float kExpHigh = 89.0f;   // e^89 overflows
inline constexpr float kLog2E = 0x1.715476p+0f;
inline constexpr float kRoundMagic = 12582912.0f;  // 1.5 * 2^23: its ulp is 1
inline constexpr float kLn2High = 0x1.62e430p-1f;
inline constexpr float kLn2Low = -0x1.05c610p-29f;
inline constexpr float kExpC2 = 0x1p-1f;
inline constexpr float kExpC3 = 0x1.5554dcp-3f;
inline constexpr float kExpC4 = 0x1.55551ap-5f;
inline constexpr float kExpC5 = 0x1.120b6cp-7f;
inline constexpr float kExpC6 = 0x1.6d1106p-10f;

}  // namespace bantam::cpu
