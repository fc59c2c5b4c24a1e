// The encoder against the formulas of its paper, in double precision.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <numbers>

#include "base/error.h"
#include "base/random.h"
#include "models/architectures.h"
#include "runtime/embedder.h"
#include "runtime/session.h"

namespace bantam {
namespace {

using Matrix = std::vector<std::vector<double>>;

Model random_bert() {
  Model model;
  model.name = "bert";
  model.config.architecture = "bert";
  model.config.context_length = 20;
  model.config.embedding_length = 30;
  model.config.block_count = 2;
  model.config.feed_forward_length = 41;
  model.config.head_count = model.config.head_count_kv = 3;
  model.config.head_size = model.config.value_size = 10;
  model.config.vocab_size = 50;
  model.config.token_types = 2;
  model.config.causal = false;
  model.config.norm_eps = 1e-12f;  // files hold floats
  uint64_t stream = 0;
  for (const WeightShape& w : required_weights(model.config)) {
    Random random(3, ++stream);
    Tensor t = Tensor::zeros(DType::f32, w.shape);
    for (int64_t i = 0; i < w.shape.elements(); ++i) t.as<float>()[i] = 0.3f * random.normal();
    model.weights[w.name] = t;
  }
  return model;
}

// BERT as its paper writes it.
class Reference {
 public:
  explicit Reference(const Model& model) : model_(model), c_(model.config) {}

  [[nodiscard]] Matrix run(const std::vector<int32_t>& ids) const {
    Matrix x;
    for (size_t n = 0; n < ids.size(); ++n) {
      std::vector<double> row;
      for (int64_t i = 0; i < c_.embedding_length; ++i)
        row.push_back(at("token_embd.weight", ids[n], i) +
                      at("position_embd.weight", static_cast<int64_t>(n), i) +
                      at("token_types.weight", 0, i));
      x.push_back(norm(row, "token_embd_norm"));
    }
    for (int64_t block = 0; block < c_.block_count; ++block) x = run_block(x, block);
    return x;
  }

 private:
  [[nodiscard]] double at(const std::string& name, int64_t row, int64_t column) const {
    const Tensor& t = model_.weights.at(name);
    return t.as<float>()[row * t.shape()[-1] + column];
  }

  [[nodiscard]] std::vector<double> norm(const std::vector<double>& x,
                                         const std::string& name) const {
    double mean = 0, variance = 0;
    const auto size = static_cast<double>(x.size());
    for (const double v : x) mean += v / size;
    for (const double v : x) variance += (v - mean) * (v - mean) / size;
    std::vector<double> y;
    for (size_t i = 0; i < x.size(); ++i) {
      const auto column = static_cast<int64_t>(i);
      y.push_back((x[i] - mean) / std::sqrt(variance + c_.norm_eps) *
                      at(name + ".weight", 0, column) +
                  at(name + ".bias", 0, column));
    }
    return y;
  }

  [[nodiscard]] std::vector<double> linear(const std::vector<double>& x,
                                           const std::string& name) const {
    std::vector<double> y;
    for (int64_t o = 0; o < model_.weights.at(name + ".weight").shape()[0]; ++o) {
      double sum = at(name + ".bias", 0, o);
      for (size_t i = 0; i < x.size(); ++i)
        sum += x[i] * at(name + ".weight", o, static_cast<int64_t>(i));
      y.push_back(sum);
    }
    return y;
  }

  // The heads of one row, side by side.
  [[nodiscard]] std::vector<double> mix(const Matrix& q, const Matrix& k, const Matrix& v,
                                        size_t n) const {
    const auto D = static_cast<size_t>(c_.head_size);
    std::vector<double> out(q[n].size());
    for (size_t h = 0; h < static_cast<size_t>(c_.head_count); ++h) {
      std::vector<double> p(k.size());
      double total = 0;
      for (size_t j = 0; j < k.size(); ++j) {
        double dot = 0;
        for (size_t d = h * D; d < (h + 1) * D; ++d) dot += q[n][d] * k[j][d];
        total += p[j] = std::exp(dot / std::sqrt(static_cast<double>(D)));
      }
      for (size_t j = 0; j < k.size(); ++j)
        for (size_t d = h * D; d < (h + 1) * D; ++d) out[d] += p[j] / total * v[j][d];
    }
    return out;
  }

  [[nodiscard]] Matrix run_block(const Matrix& x, int64_t block) const {
    const auto name = [&](const char* part) { return block_name(block, part); };
    Matrix q, k, v, y;
    for (const auto& row : x) {
      q.push_back(linear(row, name("attn_q")));
      k.push_back(linear(row, name("attn_k")));
      v.push_back(linear(row, name("attn_v")));
    }
    for (size_t n = 0; n < x.size(); ++n) {
      std::vector<double> mixed = linear(mix(q, k, v, n), name("attn_output"));
      for (size_t i = 0; i < mixed.size(); ++i) mixed[i] += x[n][i];
      mixed = norm(mixed, name("attn_output_norm"));
      std::vector<double> up = linear(mixed, name("ffn_up"));
      for (double& u : up) u *= (1 + std::erf(u / std::numbers::sqrt2)) / 2;
      std::vector<double> down = linear(up, name("ffn_down"));
      for (size_t i = 0; i < down.size(); ++i) down[i] += mixed[i];
      y.push_back(norm(down, name("layer_output_norm")));
    }
    return y;
  }

  const Model& model_;
  const ModelConfig& c_;
};

const std::vector<int32_t> kIds = {1, 17, 3, 3, 49, 0, 8};

TEST(Bert, FollowsItsPaperForEveryPooling) {
  const auto model = std::make_shared<Model>(random_bert());
  const Matrix rows = Reference(*model).run(kIds);
  for (const Pooling pooling : {Pooling::mean, Pooling::first, Pooling::last}) {
    std::vector<double> expected = pooling == Pooling::first ? rows.front() : rows.back();
    if (pooling == Pooling::mean) {
      for (size_t i = 0; i < expected.size(); ++i) {
        expected[i] = 0;
        for (const auto& row : rows) expected[i] += row[i] / static_cast<double>(rows.size());
      }
    }
    EmbedOptions options;
    options.pooling = pooling;
    options.normalise = false;
    options.threads = 2;
    const std::vector<float> got = Embedder(model, options).embed(kIds);
    ASSERT_EQ(got.size(), expected.size());
    for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 2e-5) << i;
  }
}

TEST(Bert, GivesVectorsOfLengthOneThatDoNotDependOnEarlierTexts) {
  const auto model = std::make_shared<Model>(random_bert());
  Embedder embedder(model);
  const std::vector<float> first = embedder.embed(kIds);
  double squares = 0;
  for (const float x : first) squares += static_cast<double>(x) * x;
  EXPECT_NEAR(squares, 1, 1e-6);
  EXPECT_NE(embedder.embed(std::vector<int32_t>(20, 7)), first);
  EXPECT_EQ(embedder.embed(kIds), first);
}

TEST(Bert, TakesItsPoolingFromTheFileAndContinuesNoText) {
  Model model = random_bert();
  model.config.pooling = Pooling::first;
  const std::string path = testing::TempDir() + "/bantam_bert.gguf";
  save_model(model, path);
  const auto again = std::make_shared<Model>(load_model(path));
  EXPECT_EQ(again->config, model.config);
  EmbedOptions first;
  first.pooling = Pooling::first;
  EXPECT_EQ(Embedder(again).embed(kIds), Embedder(again, first).embed(kIds));
  EXPECT_THROW(Session session(std::make_shared<Engine>(again)), Error);
  EXPECT_THROW(static_cast<void>(Embedder(again).embed(std::vector<int32_t>(21, 1))), Error);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace bantam
