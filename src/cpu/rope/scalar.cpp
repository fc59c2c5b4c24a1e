#include "cpu/elementwise/lanes/scalar.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "cpu/rope/over_lanes.h"

namespace bantam::cpu {
namespace scalar {

constinit const RopeKernels kRopeKernels = RopeOverLanes<Lanes>::kernels();

}  // namespace scalar

namespace {

// Sine and cosine of a double to about 1e-13, in operations that compilers turn into vectors:
// reduction by multiples of pi / 2 in three parts (Cody & Waite 1980; the products with the first
// two are exact for |angle| < 2^20), then Taylor series on [-pi / 4, pi / 4].
constexpr double kTwoOverPi = 0x1.45f306dc9c883p-1;
constexpr double kRoundMagic64 = 0x1.8p52;  // its ulp is 1
constexpr double kHalfPi1 = 0x1.921fb544p+0;
constexpr double kHalfPi2 = 0x1.0b4611a6p-34;
constexpr double kHalfPi3 = 0x1.3198a2e037073p-69;

inline double sine_series(double r) {
  const double z = r * r;
  double p = 1.0 / 6227020800;
  p = p * z - 1.0 / 39916800;
  p = p * z + 1.0 / 362880;
  p = p * z - 1.0 / 5040;
  p = p * z + 1.0 / 120;
  p = p * z - 1.0 / 6;
  return p * z * r + r;
}

inline double cosine_series(double r) {
  const double z = r * r;
  double p = -1.0 / 87178291200;
  p = p * z + 1.0 / 479001600;
  p = p * z - 1.0 / 3628800;
  p = p * z + 1.0 / 40320;
  p = p * z - 1.0 / 720;
  p = p * z + 1.0 / 24;
  p = p * z - 0.5;
  return p * z + 1.0;
}

inline double negate_if(uint64_t condition_bit1, double x) {
  return std::bit_cast<double>(std::bit_cast<uint64_t>(x) ^ ((condition_bit1 & 2) << 62));
}

void sine_cosine(double angle, float* sine, float* cosine) {
  const double shifted = angle * kTwoOverPi + kRoundMagic64;
  const double n = shifted - kRoundMagic64;
  const auto quadrant = std::bit_cast<uint64_t>(shifted);
  const double r = ((angle - n * kHalfPi1) - n * kHalfPi2) - n * kHalfPi3;
  const double s = sine_series(r), c = cosine_series(r);
  const bool odd = (quadrant & 1) != 0;
  *sine = static_cast<float>(negate_if(quadrant, odd ? c : s));
  *cosine = static_cast<float>(negate_if(quadrant + 1, odd ? s : c));
}

}  // namespace

// The pair that turns `beta` times within the context.
static double pair_of(const RopeFrequencies& f, int64_t pairs, double beta) {
  const double turns = f.context / (2 * std::numbers::pi * beta);
  return static_cast<double>(pairs) * std::log(turns) / std::log(f.theta);
}

void rope_frequencies(const RopeFrequencies& f, int64_t pairs, double* frequencies) {
  const double step = -std::log(f.theta) / static_cast<double>(pairs);
  double low = 0, width = 0;
  if (f.context > 0) {
    const auto last = static_cast<double>(2 * pairs - 1);
    low = std::max(0.0, std::floor(pair_of(f, pairs, f.beta_fast)));
    width = std::max(0.001, std::min(last, std::ceil(pair_of(f, pairs, f.beta_slow))) - low);
  }
  for (int64_t i = 0; i < pairs; ++i) {
    frequencies[i] = std::exp(static_cast<double>(i) * step);
    if (f.factors != nullptr) frequencies[i] /= static_cast<double>(f.factors[i]);
    const double ramp =
        f.context > 0 ? std::clamp((static_cast<double>(i) - low) / width, 0.0, 1.0) : 1.0;
    if (f.scale != 1) frequencies[i] *= f.scale * ramp + (1 - ramp);
  }
}

void rope_table_row(RopeLayout layout, int64_t position, const double* frequencies, int64_t pairs,
                    bool inverse, float* row, float magnitude) {
  const double p = inverse ? -static_cast<double>(position) : static_cast<double>(position);
  for (int64_t first = 0; first < pairs; first += kLanes) {
    const int64_t count = pairs - first < kLanes ? pairs - first : kLanes;
    float sines[kLanes], cosines[kLanes];
    for (int64_t i = 0; i < count; ++i) {
      sine_cosine(p * frequencies[first + i], &sines[i], &cosines[i]);
      sines[i] *= magnitude;
      cosines[i] *= magnitude;
    }
    if (layout == RopeLayout::halves) {
      memcpy(row + first, cosines, static_cast<size_t>(count) * sizeof(float));
      memcpy(row + pairs + first, sines, static_cast<size_t>(count) * sizeof(float));
      continue;
    }
    for (int64_t i = 0; i < count; ++i) {
      float* c = row + 2 * (first + i);
      float* s = c + 2 * pairs;
      c[0] = c[1] = cosines[i];
      s[0] = -sines[i];
      s[1] = sines[i];
    }
  }
}

}  // namespace bantam::cpu
