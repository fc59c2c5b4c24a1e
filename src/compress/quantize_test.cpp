#include "compress/quantize.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/error.h"
#include "base/random.h"
#include "models/architectures.h"

namespace bantam {
namespace {

Model tiny_model() {
  Model model;
  model.name = "tiny";
  model.config = {.context_length = 16,
                  .embedding_length = 256,
                  .block_count = 1,
                  .feed_forward_length = 288,  // whole blocks of 32, but not of 256
                  .head_count = 4,
                  .head_count_kv = 2,
                  .head_size = 64,
                  .vocab_size = 40,
                  .rope_dims = 64};
  Random random(3);
  for (const WeightShape& w : required_weights(model.config)) {
    Tensor t = Tensor::zeros(DType::f32, w.shape);
    for (int64_t i = 0; i < w.shape.elements(); ++i) t.as<float>()[i] = random.normal();
    model.weights[w.name] = t;
  }
  return model;
}

QuantizeOptions options_for(DType type, int threads = 1) {
  QuantizeOptions options;
  options.type = type;
  options.threads = threads;
  return options;
}

TEST(Quantize, KeepsVectorsAndConvertsMatrices) {
  const QuantizeResult q = quantize(tiny_model(), options_for(DType::q4_k));
  EXPECT_EQ(q.model.weights.at("blk.0.attn_norm.weight").dtype(), DType::f32);
  EXPECT_EQ(q.model.weights.at("blk.0.attn_q.weight").dtype(), DType::q4_k);
  EXPECT_EQ(q.model.weights.at("token_embd.weight").dtype(), DType::q4_k);
}

TEST(Quantize, FallsBackToSmallerBlocksAndSaysSo) {
  const QuantizeResult q = quantize(tiny_model(), options_for(DType::q4_k));
  ASSERT_EQ(q.fallbacks.size(), 1u);
  EXPECT_EQ(q.fallbacks[0].name, "blk.0.ffn_down.weight");
  EXPECT_EQ(q.fallbacks[0].used, DType::q4_0);
  EXPECT_EQ(q.model.weights.at("blk.0.ffn_down.weight").dtype(), DType::q4_0);
  EXPECT_EQ(type_for_row(DType::q6_k, 288), DType::q8_0);
  EXPECT_EQ(type_for_row(DType::q8_0, 40), DType::f16);
}

TEST(Quantize, GivesTheHeadATypeOfItsOwn) {
  QuantizeOptions options = options_for(DType::q4_0);
  options.head_type = DType::q8_0;
  const QuantizeResult q = quantize(tiny_model(), options);
  EXPECT_EQ(q.model.weights.at("token_embd.weight").dtype(), DType::q8_0);
  EXPECT_EQ(q.model.weights.at("blk.0.attn_q.weight").dtype(), DType::q4_0);
}

TEST(Quantize, DoesNotDependOnThreads) {
  const QuantizeResult one = quantize(tiny_model(), options_for(DType::q5_k, 1));
  const QuantizeResult three = quantize(tiny_model(), options_for(DType::q5_k, 3));
  for (const auto& [name, t] : one.model.weights) {
    const Tensor& u = three.model.weights.at(name);
    ASSERT_EQ(t.bytes(), u.bytes());
    EXPECT_EQ(std::memcmp(t.data(), u.data(), static_cast<size_t>(t.bytes())), 0) << name;
  }
}

TEST(Quantize, IsWhatTheTypesThemselvesConvertTo) {
  const Model model = tiny_model();
  const QuantizeResult q = quantize(model, options_for(DType::q8_0));
  const Tensor expected = model.weights.at("blk.0.attn_k.weight").to(DType::q8_0);
  const Tensor& got = q.model.weights.at("blk.0.attn_k.weight");
  EXPECT_EQ(std::memcmp(got.data(), expected.data(), static_cast<size_t>(got.bytes())), 0);
}

TEST(Quantize, RefusesTypesThatHoldNoWeights) {
  EXPECT_THROW(quantize(tiny_model(), options_for(DType::i32)), Error);
  EXPECT_THROW(quantize(tiny_model(), options_for(DType::q8a)), Error);
}

}  // namespace
}  // namespace bantam
