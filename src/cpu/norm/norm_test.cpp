#include <fmt/format.h>

#include "cpu/elementwise/test_kit.h"
#include "cpu/norm/table.h"

namespace bantam::cpu {
namespace {

using namespace test;

constexpr float kEps = 1e-5f;
constexpr DType kTypes[] = {DType::f32, DType::bf16};

TEST(RmsNorm, FollowsTheFormula) {
  const int64_t rows = 3, C = 37;
  const Elements x = Elements::sample(DType::f32, rows * C, 1);
  const Elements w = Elements::sample(DType::f32, C, 2);
  Elements y(DType::f32, rows * C);
  scalar::kNormKernels.rms_norm[0][0](x.data(), w.f32(), y.data(), rows, C, kEps);
  for (int64_t row = 0; row < rows; ++row) {
    double squares = 0;
    for (int64_t i = 0; i < C; ++i) squares += std::pow(x.get(row * C + i), 2);
    const double r = 1 / std::sqrt(squares / static_cast<double>(C) + kEps);
    for (int64_t i = 0; i < C; ++i) {
      EXPECT_NEAR(y.get(row * C + i), x.get(row * C + i) * r * w.get(i), 1e-6);
    }
  }
}

TEST(LayerNorm, FollowsTheFormula) {
  const int64_t C = 37;
  const Elements x = Elements::sample(DType::f32, C, 1), w = Elements::sample(DType::f32, C, 2),
                 b = Elements::sample(DType::f32, C, 3);
  Elements y(DType::f32, C);
  norm_kernels().layer_norm[0][0](x.data(), w.f32(), b.f32(), y.data(), 1, C, kEps);
  double mean = 0, variance = 0;
  for (int64_t i = 0; i < C; ++i) mean += x.get(i) / static_cast<double>(C);
  for (int64_t i = 0; i < C; ++i) variance += std::pow(x.get(i) - mean, 2) / static_cast<double>(C);
  for (int64_t i = 0; i < C; ++i) {
    const double z = (x.get(i) - mean) / std::sqrt(variance + kEps);
    EXPECT_NEAR(y.get(i), z * w.get(i) + b.get(i), 1e-5);
  }
}

TEST(RmsNorm, OfZerosIsZero) {
  const Elements x(DType::f32, 20), w = Elements::sample(DType::f32, 20, 1);
  Elements y = Elements::sample(DType::f32, 20, 2);
  norm_kernels().rms_norm[0][0](x.data(), w.f32(), y.data(), 1, 20, kEps);
  for (int64_t i = 0; i < 20; ++i) EXPECT_EQ(y.get(i), 0.0f);
}

class NormKernelsOf : public testing::TestWithParam<KernelEntry<const NormKernels*>> {
 protected:
  void SetUp() override { BANTAM_SKIP_UNLESS_AVAILABLE(GetParam().isa); }
  static void compare(int64_t rows, int64_t C, bool specials);
  static void compare_layer_norm(int64_t rows, int64_t C);
};

void NormKernelsOf::compare(int64_t rows, int64_t C, bool specials) {
  const NormKernels& kernels = *GetParam().function;
  const NormKernels& reference = scalar::kNormKernels;
  const Elements w = Elements::sample(DType::f32, C, 1);
  for (size_t a = 0; a < 2; ++a) {
    Elements x = Elements::sample(kTypes[a], rows * C, 2);
    if (specials) add_specials(x);
    for (size_t b = 0; b < 2; ++b) {
      const std::string what = fmt::format("C = {}, types {} {}", C, a, b);
      Elements y(kTypes[b], rows * C), expected = y;
      kernels.rms_norm[a][b](x.data(), w.f32(), y.data(), rows, C, kEps);
      reference.rms_norm[a][b](x.data(), w.f32(), expected.data(), rows, C, kEps);
      expect_same(expected, y, what);

      const Elements dy = Elements::sample(kTypes[b], rows * C, 3);
      for (size_t c = 0; c < 2; ++c) {
        Elements dx(kTypes[c], rows * C), expected_dx = dx;
        Elements dw = Elements::sample(DType::f32, C, 4), expected_dw = dw;
        kernels.rms_norm_grad[a][b][c](x.data(), w.f32(), dy.data(), dx.data(), dw.f32(), rows, C,
                                       kEps);
        reference.rms_norm_grad[a][b][c](x.data(), w.f32(), dy.data(), expected_dx.data(),
                                         expected_dw.f32(), rows, C, kEps);
        expect_same(expected_dx, dx, what + " dx");
        expect_same(expected_dw, dw, what + " dw");
      }
    }
  }
}

void NormKernelsOf::compare_layer_norm(int64_t rows, int64_t C) {
  const NormKernels& kernels = *GetParam().function;
  const NormKernels& reference = scalar::kNormKernels;
  const Elements w = Elements::sample(DType::f32, C, 1), bias = Elements::sample(DType::f32, C, 5);
  for (size_t a = 0; a < 2; ++a) {
    const Elements x = Elements::sample(kTypes[a], rows * C, 2);
    for (size_t b = 0; b < 2; ++b) {
      const std::string what = fmt::format("C = {}, types {} {}", C, a, b);
      Elements y(kTypes[b], rows * C), expected = y;
      kernels.layer_norm[a][b](x.data(), w.f32(), bias.f32(), y.data(), rows, C, kEps);
      reference.layer_norm[a][b](x.data(), w.f32(), bias.f32(), expected.data(), rows, C, kEps);
      expect_same(expected, y, what);

      const Elements dy = Elements::sample(kTypes[b], rows * C, 3);
      for (size_t c = 0; c < 2; ++c) {
        Elements dx(kTypes[c], rows * C), expected_dx = dx;
        Elements dw(DType::f32, C), db = dw, expected_dw = dw, expected_db = dw;
        kernels.layer_norm_grad[a][b][c](x.data(), w.f32(), dy.data(), dx.data(), dw.f32(),
                                         db.f32(), rows, C, kEps);
        reference.layer_norm_grad[a][b][c](x.data(), w.f32(), dy.data(), expected_dx.data(),
                                           expected_dw.f32(), expected_db.f32(), rows, C, kEps);
        expect_same(expected_dx, dx, what + " dx");
        expect_same(expected_dw, dw, what + " dw");
        expect_same(expected_db, db, what + " db");
      }
    }
  }
}

TEST_P(NormKernelsOf, GivesTheBitsOfScalarForLayerNorm) {
  for (int64_t C = 1; C <= 67; ++C) compare_layer_norm(3, C);
}

TEST_P(NormKernelsOf, GivesTheBitsOfScalarForOddWidths) {
  for (int64_t C = 1; C <= 67; ++C) compare(3, C, false);
  compare(2, 1000, false);
}

TEST_P(NormKernelsOf, GivesTheBitsOfScalarForNanAndInfinity) {
  for (const int64_t C : {1, 5, 16, 33, 50}) compare(2, C, true);
}

INSTANTIATE_TEST_SUITE_P(EveryIsa, NormKernelsOf,
                         testing::ValuesIn(norm_table().begin(), norm_table().end()),
                         [](const auto& row) { return std::string(isa_name(row.param.isa)); });

Tensor rms_norm(const Tensor& x, const Tensor& w, int threads = 1) {
  Tensor y = Tensor::zeros(DType::f32, x.shape());
  run_op(norm_bindings(), "rms_norm", {{"eps", double{kEps}}}, {x, w}, {y}, threads);
  return y;
}

struct Gradients {
  Tensor dx, dw;
};

Gradients rms_norm_grad(const Tensor& x, const Tensor& w, const Tensor& dy, int threads = 1) {
  Gradients g{Tensor::zeros(DType::f32, x.shape()), Tensor::zeros(DType::f32, w.shape())};
  run_op(norm_bindings(), "rms_norm_grad", {{"eps", double{kEps}}}, {x, w, dy}, {g.dx, g.dw},
         threads);
  return g;
}

TEST(RmsNormGrad, AgreesWithFiniteDifferences) {
  const Tensor x = sample_tensor(DType::f32, {3, 2, 9}, 1);
  const Tensor w = sample_tensor(DType::f32, {9}, 2);
  const Tensor dy = sample_tensor(DType::f32, {3, 2, 9}, 3);
  const auto [dx, dw] = rms_norm_grad(x, w, dy);
  expect_gradient(x, dx, dy, [&] { return rms_norm(x, w); });
  expect_gradient(w, dw, dy, [&] { return rms_norm(x, w); });
}

TEST(RmsNorm, DoesNotDependOnTheNumberOfThreads) {
  const Shape shape{300, 129};
  const Tensor x = sample_tensor(DType::bf16, shape, 1), dy = sample_tensor(DType::f32, shape, 2);
  const Tensor w = sample_tensor(DType::f32, {129}, 3);
  expect_same(rms_norm(x, w, 1), rms_norm(x, w, 3));
  const Gradients one = rms_norm_grad(x, w, dy, 1), three = rms_norm_grad(x, w, dy, 3);
  expect_same(one.dx, three.dx);
  expect_same(one.dw, three.dw);
}

TEST(RmsNorm, HasNoKernelForOtherTypes) {
  const Tensor x = Tensor::zeros(DType::f16, {2, 8}), w = Tensor::zeros(DType::f32, {8});
  const std::vector<TensorView> in{x.view(), w.view()}, out{x.view()};
  const Attributes attributes{{"eps", double{kEps}}};
  EXPECT_FALSE(norm_bindings()[0].bind({attributes, in, out, 1}).has_value());
}

}  // namespace
}  // namespace bantam::cpu
