#include "tensor/quantize_super.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tensor/quantize_search.h"

namespace bantam::quantize {

namespace {

constexpr int kBlock = 256;

// An affine super-block while it is fitted.
struct AffineFit {
  const float* x;
  float weights[kBlock];
  AffineFormat format;

  [[nodiscard]] int subs() const { return kBlock / format.sub; }

  static Affine affine(const AffineSuperBlock& block, int s) {
    return {f16_to_float(block.d) * static_cast<float>(block.scale[s]),
            -f16_to_float(block.dmin) * static_cast<float>(block.minimum[s])};
  }
  [[nodiscard]] float error(const AffineSuperBlock& block, int s) const {
    return affine_error(x + s * format.sub, weights + s * format.sub, format.sub, format.levels,
                        affine(block, s));
  }
  [[nodiscard]] float error(const AffineSuperBlock& block) const {
    float total = 0.0f;
    for (int s = 0; s < subs(); ++s) total += error(block, s);
    return total;
  }

  void choose_scales(const Affine* fits, AffineSuperBlock& block) const;
  void choose_levels(AffineSuperBlock& block) const;
  void refine(AffineSuperBlock& block) const;
};

void AffineFit::choose_scales(const Affine* fits, AffineSuperBlock& block) const {
  const float inv_d = inverse(f16_to_float(block.d)), inv_m = inverse(f16_to_float(block.dmin));
  const int most = format.most_scale;
  for (int s = 0; s < subs(); ++s) {
    const int scale = level(fits[s].scale * inv_d, 0.0f, static_cast<float>(most));
    const int minimum = level(-fits[s].minimum * inv_m, 0.0f, static_cast<float>(most));
    float least = 0.0f;
    int best_scale = scale, best_minimum = minimum;
    for (const int step : {0, -1, 1}) {
      for (const int lift : {0, -1, 1}) {
        block.scale[s] = std::clamp(scale + step, 0, most);
        block.minimum[s] = std::clamp(minimum + lift, 0, most);
        const float e = error(block, s);
        if ((step == 0 && lift == 0) || e < least) {
          least = e;
          best_scale = block.scale[s];
          best_minimum = block.minimum[s];
        }
      }
    }
    block.scale[s] = best_scale;
    block.minimum[s] = best_minimum;
  }
}

void AffineFit::choose_levels(AffineSuperBlock& block) const {
  for (int i = 0; i < kBlock; ++i) {
    const Affine a = affine(block, i / format.sub);
    const int q =
        level((x[i] - a.minimum) * inverse(a.scale), 0.0f, static_cast<float>(format.levels));
    block.q[i] = static_cast<uint8_t>(q);
  }
}

void AffineFit::refine(AffineSuperBlock& block) const {
  double aa = 0, bb = 0, ab = 0, xa = 0, xb = 0;  // x ~ d * a - dmin * b
  for (int i = 0; i < kBlock; ++i) {
    const int s = i / format.sub;
    const double w = static_cast<double>(weights[i]), v = static_cast<double>(x[i]);
    const double a = block.scale[s] * block.q[i], b = block.minimum[s];
    aa += w * a * a;
    ab += w * a * b;
    bb += w * b * b;
    xa += w * a * v;
    xb += w * b * v;
  }
  const double determinant = aa * bb - ab * ab;
  AffineSuperBlock other = block;
  if (bb == 0.0 && aa > 0.0) {
    other.d = finite_f16(static_cast<float>(xa / aa));
  } else if (determinant > 0.0) {
    const double d = (bb * xa - ab * xb) / determinant;
    const double dmin = (ab * xa - aa * xb) / determinant;
    if (!(d > 0.0) || !(dmin >= 0.0)) return;
    other.d = finite_f16(static_cast<float>(d));
    other.dmin = finite_f16(static_cast<float>(dmin));
  }
  if (error(other) < error(block)) {
    block = other;
    choose_levels(block);
  }
}

}  // namespace

AffineSuperBlock fit_super_block(const float* x, const AffineFormat& format) {
  AffineFit fit{x, {}, format};
  Affine fits[16];
  float largest_scale = 0.0f, largest_minimum = 0.0f;
  for (int s = 0; s < fit.subs(); ++s) {
    const int at = s * format.sub;
    error_weights(x + at, format.sub, fit.weights + at);
    fits[s] = fit_affine(x + at, fit.weights + at, format.sub, format.levels, true);
    largest_scale = std::max(largest_scale, fits[s].scale);
    largest_minimum = std::max(largest_minimum, -fits[s].minimum);
  }
  AffineSuperBlock block;
  block.d = finite_f16(largest_scale / static_cast<float>(format.most_scale));
  block.dmin = finite_f16(largest_minimum / static_cast<float>(format.most_scale));
  fit.choose_scales(fits, block);
  fit.choose_levels(block);
  fit.refine(block);
  return block;
}

Codebook::Codebook(const int8_t* values, int count) : count_(count) {
  for (int i = 0; i < count; ++i) values_[i] = static_cast<float>(values[i]);
  for (int i = 0; i + 1 < count; ++i) {
    middles_[i] = 0.5f * (values_[i] + values_[i + 1]);
    steps_[i] = values_[i + 1] - values_[i];
  }
}

int Codebook::index(float x) const {
  int at = 0;
  for (int i = 0; i + 1 < count_; ++i) at += x > middles_[i] ? 1 : 0;
  return at;
}

// Eight at a time, in arrays of their own: compilers turn that into vector code.
auto Codebook::nearest(const float* x, float inv) const -> std::array<float, kLanes> {
  std::array<float, kLanes> scaled, value;
  for (size_t l = 0; l < kLanes; ++l) {
    scaled[l] = x[l] * inv;
    value[l] = values_[0];
  }
  for (int i = 0; i + 1 < count_; ++i) {
    const float middle = middles_[i], step = steps_[i];
    for (size_t l = 0; l < kLanes; ++l) value[l] += scaled[l] > middle ? step : 0.0f;
  }
  return value;
}

float Codebook::error(const float* x, const float* weights, int n, float d) const {
  const float inv = inverse(d);
  std::array<float, kLanes> total{};
  for (int i = 0; i < n; i += static_cast<int>(kLanes), x += kLanes, weights += kLanes) {
    const auto q = nearest(x, inv);
    for (size_t l = 0; l < kLanes; ++l) {
      const float e = d * q[l] - x[l];
      total[l] += weights[l] * e * e;
    }
  }
  return std::accumulate(total.begin(), total.end(), 0.0f);
}

Codebook::Moments Codebook::moments(const float* x, const float* weights, int n, float inv) const {
  std::array<float, kLanes> xq{}, qq{};
  for (int i = 0; i < n; i += static_cast<int>(kLanes), x += kLanes, weights += kLanes) {
    const auto q = nearest(x, inv);
    for (size_t l = 0; l < kLanes; ++l) {
      const float wq = weights[l] * q[l];
      xq[l] += wq * x[l];
      qq[l] += wq * q[l];
    }
  }
  return {std::accumulate(xq.begin(), xq.end(), 0.0), std::accumulate(qq.begin(), qq.end(), 0.0)};
}

float Codebook::fit(const float* x, const float* weights, int n) const {
  float largest = 0.0f;
  for (int i = 0; i < n; ++i) {
    if (std::fabs(x[i]) > std::fabs(largest)) largest = x[i];
  }
  if (!(std::fabs(largest) > 1e-30f)) return 0.0f;

  double best_gain = 0.0;
  float best = largest / values_[0];
  const auto consider = [&](float target) {
    // With the best d = xq / qq, the error falls by xq^2 / qq.
    const Moments m = moments(x, weights, n, target / largest);
    if (m.qq > 0.0 && m.xq * m.xq > best_gain * m.qq) {
      best_gain = m.xq * m.xq / m.qq;
      best = static_cast<float>(m.xq / m.qq);
    }
  };
  const float first = values_[0], last = values_[count_ - 1];
  for (int i = 0; i < count_; ++i) {
    if (2.0f * std::fabs(values_[i]) >= last) consider(values_[i]);
  }
  constexpr int kSteps = 5;
  for (int step = -kSteps; step <= kSteps; ++step) {
    const float factor = 1.0f + 0.04f * static_cast<float>(step);
    consider(first * factor);
    consider(last * factor);
  }
  return best;
}

ScaledSuperBlock fit_super_block(const float* x, const Codebook& codes, int sub, int scale_range) {
  const int subs = kBlock / sub;
  float weights[kBlock], fits[16];
  float largest = 0.0f;
  for (int s = 0; s < subs; ++s) {
    error_weights(x + s * sub, sub, weights + s * sub);
    fits[s] = codes.fit(x + s * sub, weights + s * sub, sub);
    if (std::fabs(fits[s]) > std::fabs(largest)) largest = fits[s];
  }
  ScaledSuperBlock block;
  const auto scale_of = [&](const ScaledSuperBlock& b, int s) {
    return f16_to_float(b.d) * static_cast<float>(b.scale[s]);
  };
  const auto error = [&](const ScaledSuperBlock& b, int s) {
    return codes.error(x + s * sub, weights + s * sub, sub, scale_of(b, s));
  };
  block.d = finite_f16(largest / static_cast<float>(-scale_range));
  const auto low = static_cast<float>(-scale_range), high = static_cast<float>(scale_range - 1);
  float total = 0.0f;
  for (int s = 0; s < subs; ++s) {
    const int nearest = level(fits[s] * inverse(f16_to_float(block.d)), low, high);
    float least = 0.0f;
    int best = nearest;
    for (const int step : {0, -1, 1}) {
      block.scale[s] = std::clamp(nearest + step, -scale_range, scale_range - 1);
      const float e = error(block, s);
      if (step == 0 || e < least) {
        least = e;
        best = block.scale[s];
      }
    }
    block.scale[s] = best;
    total += least;
  }

  double xq = 0.0, qq = 0.0;
  for (int s = 0; s < subs; ++s) {
    const double scale = block.scale[s];
    const auto m = codes.moments(x + s * sub, weights + s * sub, sub, inverse(scale_of(block, s)));
    xq += scale * m.xq;
    qq += scale * scale * m.qq;
  }
  if (qq > 0.0) {
    ScaledSuperBlock other = block;
    other.d = finite_f16(static_cast<float>(xq / qq));
    float refined = 0.0f;
    for (int s = 0; s < subs; ++s) refined += error(other, s);
    if (refined < total) block.d = other.d;
  }
  for (int i = 0; i < kBlock; ++i) {
    const float inv = inverse(scale_of(block, i / sub));
    block.q[i] = static_cast<uint8_t>(codes.index(x[i] * inv));
  }
  return block;
}

}  // namespace bantam::quantize
