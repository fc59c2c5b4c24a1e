#include <fmt/format.h>

#include "cpu/elementwise/test_kit.h"
#include "cpu/experts/experts.h"
#include "tensor/layout.h"

namespace bantam::cpu {
namespace {

using namespace test;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Tensor i32(const Shape& shape, const std::vector<int32_t>& values = {}) {
  Tensor t = Tensor::zeros(DType::i32, shape);
  std::copy(values.begin(), values.end(), t.as<int32_t>());
  return t;
}

std::vector<int32_t> values(const Tensor& t) {
  return {t.as<int32_t>(), t.as<int32_t>() + t.shape().elements()};
}

std::vector<int32_t> top_k(const std::vector<float>& scores, int64_t k, int64_t groups = 1,
                           int64_t used = 1) {
  const Tensor x = Tensor::from(scores, {1, static_cast<int64_t>(scores.size())});
  const Tensor y = i32({1, k});
  run_op(experts_bindings(), "top_k", {{"k", k}, {"groups", groups}, {"groups_used", used}}, {x},
         {y});
  return values(y);
}

TEST(TopK, TakesTheLargestFirstAndTheLowerIndexOfEquals) {
  EXPECT_EQ(top_k({1, 4, 2, 4, 3}, 4), (std::vector<int32_t>{1, 3, 4, 2}));
}

TEST(TopK, TakesNanLast) {
  EXPECT_EQ(top_k({kNan, -INFINITY, 2}, 3), (std::vector<int32_t>{2, 1, 0}));
}

TEST(TopK, ChoosesAmongTheGroupsWithTheBestTwoScores) {
  // Sums of the best two: 10 + 0, 6 + 5, 7 + 6.
  EXPECT_EQ(top_k({10, 0, 6, 5, 7, 6}, 3, 3, 2), (std::vector<int32_t>{4, 2, 5}));
  EXPECT_EQ(top_k({1, 2, 3}, 2, 3, 2), (std::vector<int32_t>{2, 1}));
}

TEST(GroupByExpert, KeepsTheOrderOfRowsWithinAnExpert) {
  const Tensor rows = i32({6}), sorted = i32({6}), slots = i32({3, 2}), offsets = i32({5});
  run_op(experts_bindings(), "group_by_expert", {{"experts", int64_t{4}}},
         {i32({3, 2}, {2, 0, 0, 3, 2, 3})}, {rows, sorted, slots, offsets});
  EXPECT_EQ(values(offsets), (std::vector<int32_t>{0, 2, 2, 4, 6}));
  EXPECT_EQ(values(sorted), (std::vector<int32_t>{0, 0, 2, 2, 3, 3}));
  EXPECT_EQ(values(rows), (std::vector<int32_t>{0, 1, 0, 2, 1, 2}));
  EXPECT_EQ(values(slots), (std::vector<int32_t>{2, 0, 1, 4, 3, 5}));
  const Tensor load = Tensor::zeros(DType::f32, {4});
  run_op(experts_bindings(), "expert_load", {}, {offsets}, {load});
  EXPECT_FLOAT_EQ(load.as<float>()[0], 1 / 3.0f);
  EXPECT_EQ(load.as<float>()[1], 0);
}

Tensor rows_of(const Tensor& t, int64_t begin, int64_t n) {
  const int64_t row = t.bytes() / t.shape()[0];
  Tensor part = Tensor::zeros(t.dtype(), {n, t.shape()[1]});
  std::memcpy(part.data(), t.as<char>() + begin * row, static_cast<size_t>(n * row));
  return part;
}

// W[e] as a matrix of its own.
Tensor matrix_of(const Tensor& w, int64_t e) {
  return rows_of(w.reshaped({w.shape()[0] * w.shape()[1], w.shape()[2]}), e * w.shape()[1],
                 w.shape()[1]);
}

class ExpertLinear : public testing::TestWithParam<DType> {};

TEST_P(ExpertLinear, GivesEachRowWhatItsExpertAloneWouldGive) {
  const DType type = GetParam();
  constexpr int64_t kExperts = 4, kOut = 37, kIn = 256, kRows = 60;
  const Tensor w = sample_tensor(DType::f32, {kExperts, kOut, kIn}, 1).to(type);
  const DType activations = dtype_info(type).quantized ? DType::q8a : DType::f32;
  const Tensor x = sample_tensor(DType::f32, {kRows, kIn}, 2).to(activations);
  const Tensor offsets = i32({kExperts + 1}, {0, 51, 51, 52, kRows});
  const auto family = dtype_info(type).quantized ? quant_bindings() : matmul_bindings();
  for (const int threads : {1, 3}) {
    const Tensor y = Tensor::zeros(DType::f32, {kRows, kOut});
    run_op(experts_bindings(), "expert_linear", {}, {x, w, offsets}, {y}, threads);
    for (int64_t e = 0; e < kExperts; ++e) {
      for (int64_t r = offsets.as<int32_t>()[e]; r < offsets.as<int32_t>()[e + 1]; ++r) {
        const Tensor alone = Tensor::zeros(DType::f32, {1, kOut});
        run_op(family, "linear", {}, {rows_of(x, r, 1), matrix_of(w, e)}, {alone});
        expect_same(rows_of(y, r, 1), alone);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(EveryType, ExpertLinear,
                         testing::Values(DType::f32, DType::f16, DType::bf16, DType::q8_0,
                                         DType::q4_0, DType::q4_k, DType::q6_k),
                         [](const auto& type) { return std::string(dtype_info(type.param).name); });

class InterleavedExperts : public testing::TestWithParam<DType> {};

// Experts with many rows, few and none, so that some are packed into panels.
TEST_P(InterleavedExperts, GiveWhatTheirRowsGive) {
  constexpr int64_t kExperts = 5, kOut = 80, kIn = 512, kRows = 160;
  const Tensor w = sample_tensor(DType::f32, {kExperts, kOut, kIn}, 1).to(GetParam());
  const Tensor x = sample_tensor(DType::f32, {kRows, kIn}, 2).to(DType::q8a);
  const Tensor offsets = i32({kExperts + 1}, {0, 131, 131, 132, 141, kRows});
  ThreadPool pool(1);
  const Tensor expected = Tensor::zeros(DType::f32, {kRows, kOut});
  run_op(experts_bindings(), "expert_linear", {}, {x, w, offsets}, {expected});
  for (const int threads : {1, 3}) {
    const Tensor y = Tensor::zeros(DType::f32, {kRows, kOut});
    run_op(experts_bindings(), "expert_linear", {}, {x, interleave(w, pool), offsets}, {y},
           threads);
    expect_same(y, expected);
  }
}

INSTANTIATE_TEST_SUITE_P(EveryType, InterleavedExperts,
                         testing::Values(DType::q8_0, DType::q4_0, DType::q4_k, DType::q6_k),
                         [](const auto& type) { return std::string(dtype_info(type.param).name); });

TEST(ExpertLinear, OfAsManyRowsEachNeedsNoOffsets) {
  const Tensor w = sample_tensor(DType::f32, {3, 5, 8}, 1);
  const Tensor x = sample_tensor(DType::f32, {3, 2, 8}, 2);
  const Tensor y = Tensor::zeros(DType::f32, {3, 2, 5}), z = Tensor::zeros(DType::f32, {6, 5});
  run_op(experts_bindings(), "expert_linear", {}, {x, w}, {y});
  run_op(experts_bindings(), "expert_linear", {}, {x.reshaped({6, 8}), w, i32({4}, {0, 2, 4, 6})},
         {z});
  expect_same(y.reshaped({6, 5}), z);
}

TEST(ExpertLinear, InBf16StaysNearFloat) {
  const Tensor w = sample_tensor(DType::f32, {3, 33, 64}, 1);
  const Tensor x = sample_tensor(DType::f32, {10, 64}, 2);
  const Tensor offsets = i32({4}, {0, 4, 4, 10});
  const Tensor y = Tensor::zeros(DType::f32, {10, 33}), z = Tensor::zeros(DType::f32, {10, 33});
  run_op(experts_bindings(), "expert_linear", {}, {x, w, offsets}, {y});
  run_op(experts_bindings(), "expert_linear", {}, {x.to(DType::bf16), w.to(DType::bf16), offsets},
         {z}, 2);
  for (int64_t i = 0; i < 330; ++i) EXPECT_NEAR(y.as<float>()[i], z.as<float>()[i], 0.2);
}

TEST(ExpertLinearGrad, LeavesExpertsWithoutRowsAtZero) {
  const Tensor dy = sample_tensor(DType::f32, {2, 3}, 1), x = sample_tensor(DType::f32, {2, 4}, 2);
  const Tensor dw = sample_tensor(DType::f32, {2, 3, 4}, 3);
  run_op(experts_bindings(), "expert_linear_dw", {{"experts", int64_t{2}}},
         {dy, x, i32({3}, {0, 2, 2})}, {dw});
  EXPECT_NE(dw.as<float>()[0], 0);
  for (int64_t i = 12; i < 24; ++i) EXPECT_EQ(dw.as<float>()[i], 0);
}

TEST(CombineExperts, AddsWeightedRows) {
  const Tensor x = sample_tensor(DType::f32, {4, 19}, 1), w = sample_tensor(DType::f32, {2, 2}, 2);
  const Tensor y = Tensor::zeros(DType::f32, {2, 19});
  run_op(experts_bindings(), "combine_experts", {}, {x, i32({2, 2}, {3, 0, 1, 2}), w}, {y}, 2);
  for (int64_t c = 0; c < 19; ++c) {
    const float expected =
        w.as<float>()[0] * x.as<float>()[3 * 19 + c] + w.as<float>()[1] * x.as<float>()[c];
    EXPECT_NEAR(y.as<float>()[c], expected, 1e-6);
  }
}

}  // namespace
}  // namespace bantam::cpu
