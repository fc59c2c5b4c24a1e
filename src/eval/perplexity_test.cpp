#include "eval/perplexity.h"

#include <gtest/gtest.h>

#include <numeric>

#include "base/error.h"
#include "base/random.h"
#include "models/architectures.h"

namespace bantam {
namespace {

constexpr int64_t kVocabulary = 37;

// `head` scales the random output head: 0 makes every token equally probable.
std::shared_ptr<const Model> tiny_model(float head, uint64_t seed = 1) {
  auto model = std::make_shared<Model>();
  model->name = "tiny";
  model->config = {.context_length = 16,
                   .embedding_length = 32,
                   .block_count = 1,
                   .feed_forward_length = 64,
                   .head_count = 2,
                   .head_count_kv = 1,
                   .head_size = 16,
                   .vocab_size = kVocabulary,
                   .rope_dims = 16,
                   .tied_embeddings = false};
  Random random(seed);
  for (const WeightShape& w : required_weights(model->config)) {
    Tensor t = Tensor::zeros(DType::f32, w.shape);
    const float scale = w.name == "output.weight" ? head : 0.2f;
    for (int64_t i = 0; i < w.shape.elements(); ++i) t.as<float>()[i] = scale * random.normal();
    model->weights[w.name] = t;
  }
  return model;
}

TokenText random_text(size_t n) {
  Random random(7);
  TokenText text;
  for (size_t i = 0; i < n; ++i)
    text.ids.push_back(static_cast<int32_t>(random.below(kVocabulary)));
  return text;
}

TokenText counting_text(int32_t n) {
  TokenText text;
  text.ids.resize(static_cast<size_t>(n));
  std::iota(text.ids.begin(), text.ids.end(), 0);
  text.bytes.assign(text.ids.size(), 1);
  return text;
}

TEST(Perplexity, OfAModelWithoutPreferencesIsTheSizeOfItsVocabulary) {
  const std::vector<TokenText> texts{random_text(50), random_text(3)};
  const PerplexityResult r = perplexity(tiny_model(0), texts, {});
  EXPECT_NEAR(r.perplexity(), kVocabulary, 1e-4);
  EXPECT_EQ(r.tokens, 49 + 2);
}

TEST(Perplexity, DoesNotDependOnThreads) {
  const std::vector<TokenText> texts{random_text(60)};
  EvaluateOptions one, two;
  one.threads = 1;
  two.threads = 2;
  EXPECT_EQ(perplexity(tiny_model(1), texts, one).nll, perplexity(tiny_model(1), texts, two).nll);
}

TEST(Perplexity, ScoresNoMoreTokensThanTheLimit) {
  const std::vector<TokenText> texts{random_text(60), random_text(60)};
  EvaluateOptions options;
  options.limit = 70;
  EXPECT_EQ(perplexity(tiny_model(1), texts, options).tokens, 70);
}

TEST(Divergence, OfAModelFromItselfIsZero) {
  const std::vector<TokenText> texts{random_text(40)};
  const DivergenceResult r = divergence(tiny_model(1), tiny_model(1), texts, {});
  EXPECT_NEAR(r.mean_kl, 0, 1e-6);
  EXPECT_EQ(r.top1_agreement, 1);
  EXPECT_EQ(r.model.nll, r.reference.nll);
}

TEST(Divergence, IsPositiveBetweenDifferentModels) {
  const std::vector<TokenText> texts{random_text(40)};
  const DivergenceResult r = divergence(tiny_model(1, 2), tiny_model(1, 1), texts, {});
  EXPECT_GT(r.mean_kl, 0.01);
  EXPECT_GE(r.max_kl, r.mean_kl);
  EXPECT_LT(r.top1_agreement, 1);
}

TEST(Divergence, RefusesAnotherVocabulary) {
  auto other = std::make_shared<Model>(*tiny_model(1));
  other->config.vocab_size = kVocabulary + 1;
  EXPECT_THROW(divergence(tiny_model(1), other, std::vector{random_text(5)}, {}), Error);
}

TEST(Windows, CountEveryTokenOnceWhateverTheStride) {
  for (const int32_t bos : {-1, 36}) {
    for (int64_t stride = 1; stride <= 5; ++stride) {
      for (int32_t n = 0; n <= 23; ++n) {
        std::vector<int> counted(static_cast<size_t>(n));
        for (const Window& w : make_windows(counting_text(n), 5, stride, bos)) {
          ASSERT_EQ(w.inputs.size(), w.targets.size());
          ASSERT_LE(w.inputs.size(), 5u);
          for (size_t i = 0; i < w.inputs.size(); ++i) {
            // In this text each token follows the one below it.
            const int32_t next = w.inputs[i] + 1;
            if (w.targets[i] < 0) continue;
            if (w.inputs[i] != bos) {
              ASSERT_EQ(w.targets[i], next);
            }
            ++counted[static_cast<size_t>(w.targets[i])];
          }
          ASSERT_EQ(w.bytes, w.scored);
        }
        for (int32_t i = 0; i < n; ++i) {
          ASSERT_EQ(counted[static_cast<size_t>(i)], bos < 0 && i == 0 ? 0 : 1)
              << "token " << i << " of " << n << ", stride " << stride << ", bos " << bos;
        }
      }
    }
  }
}

}  // namespace
}  // namespace bantam
