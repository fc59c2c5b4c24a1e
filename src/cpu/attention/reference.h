#pragma once

// Attention and its gradient in double precision, term by term: the oracle of the tests.

#include "cpu/attention/attention_case.h"

namespace bantam::cpu::attention {

inline std::vector<double> doubles(const Tensor& t) {
  const Tensor f = t.to(DType::f32);
  return {f.as<float>(), f.as<float>() + f.shape().elements()};
}

struct Reference {
  std::vector<double> out, lse, dq, dk, dv;

  explicit Reference(const Case& c, bool gradient = false) {
    const auto q = doubles(c.q), k = doubles(c.k), v = doubles(c.v), dout = doubles(c.dout);
    const double scale = c.attributes.real("scale");
    const int64_t H = c.e.H, K = c.e.K, D = c.e.D, N = c.rows();
    out.assign(q.size(), 0);
    lse.assign(static_cast<size_t>(N * H), -INFINITY);
    dq.assign(q.size(), 0);
    dk.assign(k.size(), 0);
    dv.assign(v.size(), 0);
    for (int64_t n = 0; n < N; ++n)
      for (int64_t h = 0; h < H; ++h) {
        const int64_t row = (n * H + h) * D, visible = c.visible(n),
                      s = c.sequences.as<int32_t>()[n];
        auto cell = [&](int64_t j) { return ((s * c.e.C + j) * K + h / (H / K)) * D; };
        auto dot = [&](const std::vector<double>& a, int64_t i, const std::vector<double>& b,
                       int64_t j) {
          double sum = 0;
          for (int64_t d = 0; d < D; ++d)
            sum += a[static_cast<size_t>(i + d)] * b[static_cast<size_t>(j + d)];
          return sum;
        };
        std::vector<double> p(static_cast<size_t>(visible));
        double total = 0;
        for (int64_t j = 0; j < visible; ++j)
          total += p[static_cast<size_t>(j)] = std::exp(scale * dot(q, row, k, cell(j)));
        lse[static_cast<size_t>(n * H + h)] = std::log(total);
        for (int64_t j = 0; j < visible; ++j) {
          p[static_cast<size_t>(j)] /= total;
          for (int64_t d = 0; d < D; ++d)
            out[static_cast<size_t>(row + d)] +=
                p[static_cast<size_t>(j)] * v[static_cast<size_t>(cell(j) + d)];
        }
        if (!gradient) continue;
        const double delta = dot(dout, row, out, row);
        for (int64_t j = 0; j < visible; ++j) {
          const double pj = p[static_cast<size_t>(j)];
          const double ds = scale * pj * (dot(dout, row, v, cell(j)) - delta);
          for (int64_t d = 0; d < D; ++d) {
            const auto a = static_cast<size_t>(row + d), b = static_cast<size_t>(cell(j) + d);
            dv[b] += pj * dout[a];
            dq[a] += ds * k[b];
            dk[b] += ds * q[a];
          }
        }
      }
  }
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
