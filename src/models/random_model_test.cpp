#include "models/random_model.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/error.h"

namespace bantam {
namespace {

TEST(RandomModel, HasTheParametersOfThePublishedModel) {
  // Published: 134.5 M with tied embeddings.
  const ModelConfig& c = known_shape("smollm2-135m");
  const Model model = random_model(c, [](const WeightShape&) { return DType::q8_0; });
  EXPECT_NEAR(static_cast<double>(model.parameters()), 134.5e6, 0.1e6);
  EXPECT_EQ(model.weights.at("blk.0.ffn_down.weight").dtype(), DType::q8_0);
  EXPECT_EQ(model.tokenizer->vocab_size(), c.vocab_size);
}

TEST(RandomModel, KnowsShapesOfOtherFamilies) {
  // Published: 0.494 B and 0.596 B.
  const auto q8_0 = [](const WeightShape&) { return DType::q8_0; };
  const Model qwen2 = random_model(known_shape("qwen2.5-0.5b"), q8_0);
  EXPECT_NEAR(static_cast<double>(qwen2.parameters()), 494e6, 1e6);
  const Model qwen3 = random_model(known_shape("qwen3-0.6b"), q8_0);
  EXPECT_NEAR(static_cast<double>(qwen3.parameters()), 596e6, 1e6);
  // 268 M, of which 168 M are the embedding.
  const Model gemma = random_model(known_shape("gemma-3-270m"), q8_0);
  EXPECT_NEAR(static_cast<double>(gemma.parameters()), 268e6, 1e6);
}

TEST(RandomModel, IsTheSameForTheSameSeed) {
  ModelConfig c = known_shape("stories15m");
  c.vocab_size = 300;
  const auto type = [](const WeightShape&) { return DType::q4_0; };
  const Model a = random_model(c, type, 7), b = random_model(c, type, 7);
  for (const auto& [name, t] : a.weights) {
    EXPECT_EQ(0, std::memcmp(t.data(), b.weights.at(name).data(), static_cast<size_t>(t.bytes())))
        << name;
  }
}

TEST(RandomModel, NamesTheShapesThatItKnows) {
  try {
    known_shape("gpt-5");
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("llama-3.2-1b"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace bantam
