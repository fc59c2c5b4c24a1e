#include <fmt/format.h>

#include "cpu/elementwise/test_kit.h"
#include "cpu/softmax/table.h"

namespace bantam::cpu {
namespace {

using namespace test;

constexpr float kInf = std::numeric_limits<float>::infinity();

TEST(Softmax, FollowsTheFormula) {
  const int64_t C = 37;
  const Elements x = Elements::sample(DType::f32, C, 1);
  Elements y(DType::f32, C);
  softmax_kernels().softmax(x.f32(), y.f32(), 1, C);
  double sum = 0;
  for (int64_t i = 0; i < C; ++i) sum += std::exp(static_cast<double>(x.get(i)));
  for (int64_t i = 0; i < C; ++i) EXPECT_NEAR(y.get(i), std::exp(x.get(i)) / sum, 1e-7);
}

TEST(Softmax, GivesMaskedElementsZero) {
  const float x[] = {1000.0f, -kInf, 1000.0f};
  float y[3];
  softmax_kernels().softmax(x, y, 1, 3);
  EXPECT_EQ(y[0], 0.5f);
  EXPECT_EQ(y[1], 0.0f);
  EXPECT_EQ(y[2], 0.5f);
}

TEST(Softmax, IsNanWhereItIsUndefined) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float x[] = {1, nan, 2, -kInf, -kInf, -kInf, 0, kInf, 1};
  float y[9];
  softmax_kernels().softmax(x, y, 3, 3);
  for (const float v : y) EXPECT_TRUE(std::isnan(v));
}

class SoftmaxKernelsOf : public testing::TestWithParam<KernelEntry<const SoftmaxKernels*>> {
 protected:
  void SetUp() override { BANTAM_SKIP_UNLESS_AVAILABLE(GetParam().isa); }
};

TEST_P(SoftmaxKernelsOf, GivesTheBitsOfScalar) {
  const SoftmaxKernels &kernels = *GetParam().function, &reference = scalar::kSoftmaxKernels;
  for (int64_t C = 1; C <= 67; ++C) {
    Elements x = Elements::sample(DType::f32, 3 * C, 1);
    if (C % 5 == 0) add_specials(x);
    Elements y(DType::f32, 3 * C), expected = y;
    kernels.softmax(x.f32(), y.f32(), 3, C);
    reference.softmax(x.f32(), expected.f32(), 3, C);
    expect_same(expected, y, fmt::format("C = {}", C));

    const Elements dy = Elements::sample(DType::f32, 3 * C, 2);
    kernels.softmax_grad(x.f32(), dy.f32(), y.f32(), 3, C);
    reference.softmax_grad(x.f32(), dy.f32(), expected.f32(), 3, C);
    expect_same(expected, y, fmt::format("gradient, C = {}", C));
  }
}

INSTANTIATE_TEST_SUITE_P(EveryIsa, SoftmaxKernelsOf,
                         testing::ValuesIn(softmax_table().begin(), softmax_table().end()),
                         [](const auto& row) { return std::string(isa_name(row.param.isa)); });

Tensor run(std::string_view op, const std::vector<Tensor>& inputs, int threads = 1) {
  Tensor y = Tensor::zeros(DType::f32, inputs[0].shape());
  run_op(softmax_bindings(), op, {}, inputs, {y}, threads);
  return y;
}

TEST(SoftmaxGrad, AgreesWithFiniteDifferences) {
  const Tensor x = sample_tensor(DType::f32, {2, 2, 9}, 1);
  const Tensor dy = sample_tensor(DType::f32, {2, 2, 9}, 2);
  const Tensor dx = run("softmax_grad", {run("softmax", {x}), dy});
  expect_gradient(x, dx, dy, [&] { return run("softmax", {x}); });
}

TEST(Softmax, DoesNotDependOnTheNumberOfThreads) {
  const Tensor x = sample_tensor(DType::f32, {500, 101}, 1);
  expect_same(run("softmax", {x}, 1), run("softmax", {x}, 3));
}

}  // namespace
}  // namespace bantam::cpu
