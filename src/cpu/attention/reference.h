#pragma once

// Attention and its gradient in double precision, term by term: the oracle of the tests.

#include "cpu/attention/attention_case.h"

namespace bantam::cpu::attention {

inline std::vector<double> doubles(const Tensor& t) {
  const Tensor f = t.to(DType::f32);
  return {f.as<float>(), f.as<float>() + f.shape().elements()};
}

struct Reference {
  std::vector<double> out, lse, dq, dk, dv, dsinks, dbias;

  explicit Reference(const Case& c, bool gradient = false) : c_(c) {
    const int64_t N = c.rows();
    out.assign(dout_.size(), 0);
    lse.assign(static_cast<size_t>(N * c.e.H), -INFINITY);
    dq.assign(q_.size(), 0);
    dk.assign(k_.size(), 0);
    dv.assign(v_.size(), 0);
    dsinks.assign(sinks_.size(), 0);
    dbias.assign(bias_.size(), 0);
    for (int64_t n = 0; n < N; ++n)
      for (int64_t h = 0; h < c.e.H; ++h) run_row(n, h, gradient);
  }

 private:
  static double dot(const std::vector<double>& a, int64_t i, const std::vector<double>& b,
                    int64_t j, int64_t size) {
    double sum = 0;
    for (int64_t d = 0; d < size; ++d)
      sum += a[static_cast<size_t>(i + d)] * b[static_cast<size_t>(j + d)];
    return sum;
  }

  void run_row(int64_t n, int64_t h, bool gradient) {
    const int64_t D = c_.e.D, E = c_.e.value_size(), H = c_.e.H, K = c_.e.K;
    const int64_t q = (n * H + h) * D, o = (n * H + h) * E, visible = c_.visible(n),
                  s = c_.sequences.as<int32_t>()[n];
    const auto cell = [&](int64_t j) { return (s * c_.e.C + j) * K + h / (H / K); };
    const double scale = c_.attributes.real("scale"), cap = c_.attributes.real("softcap", 0);
    const auto bias = [&](int64_t j) {
      return static_cast<size_t>((h * c_.rows() + n) * c_.e.C + j);
    };
    std::vector<double> p(static_cast<size_t>(visible)), slope(p.size(), 1);
    double total = sinks_.empty() ? 0 : std::exp(sinks_[static_cast<size_t>(h)]);
    for (int64_t j = 0; j < visible; ++j) {
      if (!c_.sees(n, j)) continue;
      const auto i = static_cast<size_t>(j);
      double x = scale * dot(q_, q, k_, cell(j) * D, D);
      if (cap > 0) {
        slope[i] = 1 - std::pow(std::tanh(x / cap), 2);
        x = cap * std::tanh(x / cap);
      }
      if (!bias_.empty()) x += bias_[bias(j)];
      total += p[i] = std::exp(x);
    }
    lse[static_cast<size_t>(n * H + h)] = std::log(total);
    for (int64_t j = 0; j < visible; ++j) {
      if (!c_.sees(n, j)) continue;
      p[static_cast<size_t>(j)] /= total;
      for (int64_t d = 0; d < E; ++d)
        out[static_cast<size_t>(o + d)] +=
            p[static_cast<size_t>(j)] * v_[static_cast<size_t>(cell(j) * E + d)];
    }
    if (!gradient) return;
    const double delta = dot(dout_, o, out, o, E);
    if (!sinks_.empty()) {
      const auto i = static_cast<size_t>(h);
      dsinks[i] -= std::exp(sinks_[i]) / total * delta;
    }
    for (int64_t j = 0; j < visible; ++j) {
      if (!c_.sees(n, j)) continue;
      const auto i = static_cast<size_t>(j);
      const double g = p[i] * (dot(dout_, o, v_, cell(j) * E, E) - delta);
      if (!bias_.empty()) dbias[bias(j)] = g;
      for (int64_t d = 0; d < E; ++d)
        dv[static_cast<size_t>(cell(j) * E + d)] += p[i] * dout_[static_cast<size_t>(o + d)];
      for (int64_t d = 0; d < D; ++d) {
        const auto a = static_cast<size_t>(q + d), b = static_cast<size_t>(cell(j) * D + d);
        dq[a] += g * slope[i] * scale * k_[b];
        dk[b] += g * slope[i] * scale * q_[a];
      }
    }
  }

  static std::vector<double> extra(const Tensor& t) {
    return t.defined() ? doubles(t) : std::vector<double>{};
  }

  const Case& c_;
  std::vector<double> q_ = doubles(c_.q), k_ = doubles(c_.k), v_ = doubles(c_.v),
                      dout_ = doubles(c_.dout), sinks_ = extra(c_.sinks), bias_ = extra(c_.bias);
};

// max |a - b| relative to max |b|.
inline double distance(const Tensor& a, const std::vector<double>& b) {
  const auto values = doubles(a);
  double worst = 0, largest = 1e-30;
  for (size_t i = 0; i < b.size(); ++i) {
    const double difference = std::abs(values[i] - b[i]);
    if (values[i] != b[i]) worst = std::max(worst, std::isnan(difference) ? INFINITY : difference);
    if (std::isfinite(b[i])) largest = std::max(largest, std::abs(b[i]));
  }
  return worst / largest;
}

}  // namespace bantam::cpu::attention
