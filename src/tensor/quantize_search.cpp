#include "tensor/quantize_search.h"

#include <algorithm>
#include <cmath>

namespace bantam::quantize {

namespace {

// Sums run in eight lanes, added pairwise: a fixed order that compilers turn into vector code.
constexpr int kLanes = 8;

struct Sum {
  float lane[kLanes] = {};
  [[nodiscard]] double total() const {
    double t = 0.0;
    for (const float x : lane) t += static_cast<double>(x);
    return t;
  }
};

// Candidates divide the largest value by range + step / 8 for step in [-kSteps, kSteps].
constexpr int kSteps = 9;

}  // namespace

void error_weights(const float* x, int n, float* weights) {
  Sum squares;
  for (int i = 0; i < n; i += kLanes) {
    for (int l = 0; l < kLanes; ++l) squares.lane[l] += x[i + l] * x[i + l];
  }
  const auto rms = static_cast<float>(std::sqrt(squares.total() / n));
  for (int i = 0; i < n; ++i) weights[i] = rms + std::fabs(x[i]);
}

float fit_scale(const float* x, const float* weights, int n, int range) {
  float largest = 0.0f;
  for (int i = 0; i < n; ++i) {
    if (std::fabs(x[i]) > std::fabs(largest)) largest = x[i];
  }
  if (!(std::fabs(largest) > 1e-30f)) return 0.0f;

  const auto low = static_cast<float>(-range), high = static_cast<float>(range - 1);
  double best_gain = 0.0;
  float best = largest / low;
  for (int step = -kSteps; step <= kSteps; ++step) {
    const float inv = (low - 0.125f * static_cast<float>(step)) / largest;
    Sum xq, qq;
    for (int i = 0; i < n; i += kLanes) {
      for (int l = 0; l < kLanes; ++l) {
        const auto q = static_cast<float>(level(x[i + l] * inv, low, high));
        const float wq = weights[i + l] * q;
        xq.lane[l] += wq * x[i + l];
        qq.lane[l] += wq * q;
      }
    }
    // With the best d = sum(wxq) / sum(wqq), the error falls by sum(wxq)^2 / sum(wqq).
    const double sxq = xq.total(), sqq = qq.total();
    if (sqq > 0.0 && sxq * sxq > best_gain * sqq) {
      best_gain = sxq * sxq / sqq;
      best = static_cast<float>(sxq / sqq);
    }
  }
  return best;
}

float affine_error(const float* x, const float* weights, int n, int levels, Affine affine) {
  const float inv = inverse(affine.scale);
  const auto high = static_cast<float>(levels);
  Sum error;
  for (int i = 0; i < n; i += kLanes) {
    for (int l = 0; l < kLanes; ++l) {
      const auto q = static_cast<float>(level((x[i + l] - affine.minimum) * inv, 0.0f, high));
      const float e = affine.scale * q + affine.minimum - x[i + l];
      error.lane[l] += weights[i + l] * e * e;
    }
  }
  return static_cast<float>(error.total());
}

Affine fit_affine(const float* x, const float* weights, int n, int levels, bool below_zero) {
  float minimum = *std::min_element(x, x + n);
  const float maximum = *std::max_element(x, x + n);
  if (below_zero) minimum = std::min(minimum, 0.0f);
  if (!(maximum - minimum > 1e-30f)) return {0.0f, minimum};

  Sum w_lanes, x_lanes;
  for (int i = 0; i < n; i += kLanes) {
    for (int l = 0; l < kLanes; ++l) {
      w_lanes.lane[l] += weights[i + l];
      x_lanes.lane[l] += weights[i + l] * x[i + l];
    }
  }
  const double sw = w_lanes.total(), sx = x_lanes.total();
  const auto high = static_cast<float>(levels);
  Affine best{(maximum - minimum) / high, minimum};
  double best_gain = -1e300;
  for (int step = -kSteps; step <= kSteps; ++step) {
    const float inv = (high + 0.125f * static_cast<float>(step)) / (maximum - minimum);
    Sum q_lanes, qq_lanes, xq_lanes;
    for (int i = 0; i < n; i += kLanes) {
      for (int l = 0; l < kLanes; ++l) {
        const auto q = static_cast<float>(level((x[i + l] - minimum) * inv, 0.0f, high));
        const float wq = weights[i + l] * q;
        q_lanes.lane[l] += wq;
        qq_lanes.lane[l] += wq * q;
        xq_lanes.lane[l] += wq * x[i + l];
      }
    }
    // Normal equations of sum w (s q + m - x)^2 for these q.
    const double sq = q_lanes.total(), sqq = qq_lanes.total(), sxq = xq_lanes.total();
    const double determinant = sw * sqq - sq * sq;
    if (!(determinant > 0.0)) continue;
    double scale = (sw * sxq - sx * sq) / determinant;
    double offset = (sqq * sx - sq * sxq) / determinant;
    if (below_zero && offset > 0.0) {
      offset = 0.0;
      scale = sxq / sqq;
    }
    const double gain = 2 * (scale * sxq + offset * sx) -
                        (scale * scale * sqq + 2 * scale * offset * sq + offset * offset * sw);
    if (scale > 0.0 && gain > best_gain) {
      best_gain = gain;
      best = {static_cast<float>(scale), static_cast<float>(offset)};
    }
  }
  return best;
}

Affine fit_affine_f16(const float* x, const float* weights, int n, int levels) {
  const auto rounded = [](Affine a) {
    return Affine{f16_to_float(finite_f16(a.scale)), f16_to_float(finite_f16(a.minimum))};
  };
  float low = x[0], high = x[0];
  for (int i = 1; i < n; ++i) {
    low = x[i] < low ? x[i] : low;
    high = x[i] > high ? x[i] : high;
  }
  const Affine plain = rounded({(high - low) / static_cast<float>(levels), low});
  const Affine fitted = rounded(fit_affine(x, weights, n, levels, false));
  const bool better =
      affine_error(x, weights, n, levels, fitted) < affine_error(x, weights, n, levels, plain);
  return better ? fitted : plain;
}

}  // namespace bantam::quantize
