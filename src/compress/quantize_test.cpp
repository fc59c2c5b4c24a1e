#include "compress/quantize.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/error.h"
#include "base/random.h"
#include "models/architectures.h"
#include "models/file_type.h"

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

TEST(Quantize, LeavesMatricesThatAreNoProjections) {
  Model model = tiny_model();
  for (const char* name : {"blk.0.ffn_gate_inp.weight", "position_embd.weight", "blk.0.ssm_a"}) {
    model.weights[name] = Tensor::zeros(DType::f32, {4, 256});
  }
  model.weights["blk.0.ffn_down_exps.weight"] = Tensor::zeros(DType::f32, {4, 256});
  const QuantizeResult q = quantize(model, options_for(DType::q8_0));
  EXPECT_EQ(q.model.weights.at("blk.0.ffn_gate_inp.weight").dtype(), DType::f32);
  EXPECT_EQ(q.model.weights.at("position_embd.weight").dtype(), DType::f32);
  EXPECT_EQ(q.model.weights.at("blk.0.ssm_a").dtype(), DType::f32);
  EXPECT_EQ(q.model.weights.at("blk.0.ffn_down_exps.weight").dtype(), DType::q8_0);
}

TEST(Quantize, FallsBackToSmallerBlocksAndSaysSo) {
  const QuantizeResult q = quantize(tiny_model(), options_for(DType::q4_k));
  ASSERT_EQ(q.fallbacks.size(), 1u);
  EXPECT_EQ(q.fallbacks[0].name, "blk.0.ffn_down.weight");
  EXPECT_EQ(q.fallbacks[0].used, DType::q5_0);
  EXPECT_EQ(q.model.weights.at("blk.0.ffn_down.weight").dtype(), DType::q5_0);
  EXPECT_EQ(type_for_row(DType::q6_k, 288), DType::q8_0);
  EXPECT_EQ(type_for_row(DType::q5_k, 288), DType::q5_1);
  EXPECT_EQ(type_for_row(DType::q2_k, 288), DType::iq4_nl);
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

TEST(Quantize, MixturesGiveTheirTypesToTheWeightsThatNeedThem) {
  ModelConfig config = tiny_model().config;
  config.block_count = 32;
  config.head_count_kv = 4;
  const auto type = [&](std::string_view mixture, std::string_view weight) {
    return mixture_type(*find_mixture(mixture), weight, weight == "output.weight", config);
  };
  // Of 32 layers: the first and last four, and every third between them.
  for (const int layer : {0, 3, 6, 9, 27, 28, 31}) {
    const std::string name = fmt::format("blk.{}.attn_v.weight", layer);
    EXPECT_EQ(type("q4_k_m", name), DType::q6_k) << layer;
    EXPECT_EQ(type("Q5_K_M", name), DType::q6_k) << layer;
  }
  for (const int layer : {4, 5, 7, 8, 26}) {
    EXPECT_EQ(type("q4_k_m", fmt::format("blk.{}.ffn_down.weight", layer)), DType::q4_k) << layer;
  }
  EXPECT_EQ(type("q4_k_m", "blk.0.ffn_up.weight"), DType::q4_k);
  EXPECT_EQ(type("q4_k_m", "token_embd.weight"), DType::q4_k);
  EXPECT_EQ(type("q4_k_m", "output.weight"), DType::q6_k);
  EXPECT_EQ(type("q4_k_m", "blk.0.ffn_down_exps.weight"), DType::q6_k);
  EXPECT_EQ(type("q4_k_s", "blk.3.attn_v.weight"), DType::q5_k);
  EXPECT_EQ(type("q3_k_m", "blk.1.attn_v.weight"), DType::q5_k);
  EXPECT_EQ(type("q3_k_m", "blk.2.ffn_down.weight"), DType::q4_k);
  EXPECT_EQ(type("q2_k_m", "blk.9.attn_v.weight"), DType::q3_k);
  config.head_count_kv = 1;
  EXPECT_EQ(type("q2_k_m", "blk.9.attn_v.weight"), DType::q4_k);
  EXPECT_EQ(find_mixture("q4_k"), nullptr);
}

TEST(Quantize, StoresAMixtureThatItsFileTypeNames) {
  QuantizeOptions options = options_for(DType::q4_k);
  options.mixture = find_mixture("q4_k_m");
  const QuantizeResult q = quantize(tiny_model(), options);
  EXPECT_EQ(q.model.weights.at("token_embd.weight").dtype(), DType::q6_k);
  EXPECT_EQ(q.model.weights.at("blk.0.attn_v.weight").dtype(), DType::q6_k);
  EXPECT_EQ(q.model.weights.at("blk.0.attn_q.weight").dtype(), DType::q4_k);
  EXPECT_EQ(file_type_name(file_type(q.model)), "Q4_K_M");
  EXPECT_EQ(file_type_name(file_type(quantize(tiny_model(), options_for(DType::q4_k)).model)),
            "Q4_K_S");
}

TEST(Quantize, RefusesTypesThatItOnlyReads) {
  try {
    quantize(tiny_model(), options_for(DType::iq3_s));
    FAIL() << "expected an error";
  } catch (const Error& e) {
    EXPECT_EQ(std::string(e.what()),
              "[quantize] iq3_s can be read but not written; expected a type such as iq4_xs or "
              "q3_k");
  }
}

TEST(Quantize, RefusesTypesThatHoldNoWeights) {
  EXPECT_THROW(quantize(tiny_model(), options_for(DType::i32)), Error);
  EXPECT_THROW(quantize(tiny_model(), options_for(DType::q8a)), Error);
}

}  // namespace
}  // namespace bantam
