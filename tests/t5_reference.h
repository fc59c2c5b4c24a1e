#pragma once

// T5 as Raffel et al. 2020 write it, term by term in double precision, for a whole text at once.

#include <cmath>
#include <functional>
#include <numbers>
#include <string>
#include <vector>

#include "models/model.h"

namespace bantam {

class T5Reference {
 public:
  using Row = std::vector<double>;
  using Matrix = std::vector<Row>;

  explicit T5Reference(const Model& model) : model_(model), c_(model.config) {}

  [[nodiscard]] Matrix encode(const std::vector<int32_t>& ids) const {
    Matrix x = embed(ids);
    for (int64_t i = 0; i < c_.block_count; ++i) {
      const std::string block = "enc.blk." + std::to_string(i) + ".";
      const Matrix h = norms(x, block + "attn_norm");
      add(x, attend(h, h, block + "attn", [&](size_t n, size_t j, size_t head) {
            return bias("enc", distance(n, j), true, head);
          }));
      add(x, feed_forward(norms(x, block + "ffn_norm"), block));
    }
    return norms(x, "enc.output_norm");
  }

  // Logits of every token of the text that is written.
  [[nodiscard]] Matrix decode(const Matrix& source, const std::vector<int32_t>& ids) const {
    Matrix x = embed(ids);
    for (int64_t i = 0; i < c_.decoder_block_count; ++i) {
      const std::string block = "dec.blk." + std::to_string(i) + ".";
      const Matrix h = norms(x, block + "attn_norm");
      add(x, attend(h, h, block + "attn", [&](size_t n, size_t j, size_t head) {
            return j > n ? -INFINITY : bias("dec", distance(n, j), false, head);
          }));
      const Matrix q = norms(x, block + "cross_attn_norm");
      add(x, attend(q, source, block + "cross_attn", [](size_t, size_t, size_t) { return 0.0; }));
      add(x, feed_forward(norms(x, block + "ffn_norm"), block));
    }
    x = norms(x, "dec.output_norm");
    if (!c_.tied_embeddings) return linear(x, "output");
    for (Row& row : x)
      for (double& v : row) v /= std::sqrt(static_cast<double>(c_.embedding_length));
    return linear(x, "token_embd");
  }

 private:
  [[nodiscard]] double at(const std::string& name, int64_t row, int64_t column) const {
    const Tensor& t = model_.weights.at(name + ".weight");
    return t.as<float>()[row * t.shape()[-1] + column];
  }
  static int64_t distance(size_t n, size_t j) {
    return static_cast<int64_t>(j) - static_cast<int64_t>(n);
  }
  static void add(Matrix& x, const Matrix& y) {
    for (size_t n = 0; n < x.size(); ++n)
      for (size_t i = 0; i < x[n].size(); ++i) x[n][i] += y[n][i];
  }

  [[nodiscard]] Matrix embed(const std::vector<int32_t>& ids) const {
    Matrix x;
    for (const int32_t id : ids) {
      x.emplace_back();
      for (int64_t i = 0; i < c_.embedding_length; ++i) x.back().push_back(at("token_embd", id, i));
    }
    return x;
  }

  [[nodiscard]] Matrix norms(const Matrix& x, const std::string& name) const {
    Matrix y = x;
    for (Row& row : y) {
      double squares = 0;
      for (const double v : row) squares += v * v / static_cast<double>(row.size());
      for (size_t i = 0; i < row.size(); ++i)
        row[i] *= at(name, 0, static_cast<int64_t>(i)) / std::sqrt(squares + c_.norm_eps);
    }
    return y;
  }

  [[nodiscard]] Matrix linear(const Matrix& x, const std::string& name) const {
    const Tensor& w = model_.weights.at(name + ".weight");
    Matrix y;
    for (const Row& row : x) {
      y.emplace_back();
      for (int64_t o = 0; o < w.shape()[0]; ++o) {
        const float* weights = w.as<float>() + o * w.shape()[1];
        double sum = 0;
        for (size_t i = 0; i < row.size(); ++i) sum += row[i] * weights[i];
        y.back().push_back(sum);
      }
    }
    return y;
  }

  // The distances that begin a bucket, found one after the other.
  [[nodiscard]] double bias(const std::string& stack, int64_t d, bool both, size_t head) const {
    const int64_t half = both ? c_.relative_buckets / 2 : c_.relative_buckets;
    const int64_t exact = half / 2, away = both ? std::abs(d) : std::max<int64_t>(0, -d);
    int64_t bucket = std::min(away, exact);
    for (int64_t k = 1; k < half - exact && away >= exact; ++k) {
      const double first = static_cast<double>(exact) *
                           std::pow(128.0 / static_cast<double>(exact),
                                    static_cast<double>(k) / static_cast<double>(half - exact));
      if (static_cast<double>(away) + 1e-9 >= first) ++bucket;
    }
    if (both && d > 0) bucket += half;
    return at(stack + ".blk.0.attn_rel_b", bucket, static_cast<int64_t>(head));
  }

  // name_q of x against name_k and name_v of what is looked at; scores are not scaled.
  [[nodiscard]] Matrix attend(const Matrix& x, const Matrix& seen, const std::string& name,
                              const std::function<double(size_t, size_t, size_t)>& bias) const {
    const Matrix q = linear(x, name + "_q"), k = linear(seen, name + "_k"),
                 v = linear(seen, name + "_v");
    const auto D = static_cast<size_t>(c_.head_size);
    Matrix mixed(x.size(), Row(q[0].size()));
    for (size_t n = 0; n < x.size(); ++n) {
      for (size_t h = 0; h < static_cast<size_t>(c_.head_count); ++h) {
        Row p(seen.size());
        double total = 0;
        for (size_t j = 0; j < seen.size(); ++j) {
          double dot = bias(n, j, h);
          for (size_t i = h * D; i < (h + 1) * D; ++i) dot += q[n][i] * k[j][i];
          total += p[j] = std::exp(dot);
        }
        for (size_t j = 0; j < seen.size(); ++j)
          for (size_t i = h * D; i < (h + 1) * D; ++i) mixed[n][i] += p[j] / total * v[j][i];
      }
    }
    return linear(mixed, name + "_o");
  }

  [[nodiscard]] Matrix feed_forward(const Matrix& x, const std::string& block) const {
    Matrix up = linear(x, block + "ffn_up");
    const Matrix gate = c_.gated_feed_forward ? linear(x, block + "ffn_gate") : Matrix{};
    for (size_t n = 0; n < up.size(); ++n) {
      for (size_t i = 0; i < up[n].size(); ++i) {
        if (gate.empty()) {
          up[n][i] = std::max(0.0, up[n][i]);
          continue;
        }
        const double z = gate[n][i];
        const double inner = std::sqrt(2 / std::numbers::pi) * (z + 0.044715 * z * z * z);
        up[n][i] *= z * (1 + std::tanh(inner)) / 2;
      }
    }
    return linear(up, block + "ffn_down");
  }

  const Model& model_;
  const ModelConfig& c_;
};

}  // namespace bantam
