#include <fmt/format.h>

#include <algorithm>
#include <numbers>

#include "cpu/elementwise/table.h"
#include "cpu/elementwise/test_kit.h"

namespace bantam::cpu {
namespace {

using namespace test;

constexpr DType kTypes[] = {DType::f32, DType::bf16, DType::f16};
constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

float apply(Unary op, float x, float parameter = 0) {
  float y = 0;
  elementwise_kernels().unary[op][0](&x, &y, 1, parameter);
  return y;
}

TEST(Exp, IsWithinOneUlpOverTheWholeRange) {
  double worst = 0;
  for (float x = -103.9f; x < 88.72f; x += 0.0013f) {
    const double exact = std::exp(static_cast<double>(x));
    const double ulp = std::max(0x1p-149, std::ldexp(1.0, std::ilogb(exact) - 23));
    worst = std::max(worst, std::fabs(static_cast<double>(apply(kExp, x)) - exact) / ulp);
  }
  EXPECT_LT(worst, 1.0);
}

TEST(Exp, KeepsInfinitiesAndNan) {
  EXPECT_EQ(apply(kExp, -kInf), 0.0f);
  EXPECT_EQ(apply(kExp, -200.0f), 0.0f);
  EXPECT_EQ(apply(kExp, kInf), kInf);
  EXPECT_EQ(apply(kExp, 88.73f), kInf);
  EXPECT_EQ(apply(kExp, 0.0f), 1.0f);
  EXPECT_TRUE(std::isnan(apply(kExp, kNan)));
}

TEST(Unary, FollowsTheFormulas) {
  for (double x = 0.01; x < 20; x *= 1.37) {
    for (const double v : {x, -x}) {
      const auto f = static_cast<float>(v);
      const double s = 1 / (1 + std::exp(-static_cast<double>(f)));
      EXPECT_FLOAT_EQ(apply(kSigmoid, f), static_cast<float>(s));
      EXPECT_FLOAT_EQ(apply(kSilu, f), static_cast<float>(f * s));
      EXPECT_FLOAT_EQ(apply(kReciprocal, f), 1 / f);
      EXPECT_FLOAT_EQ(apply(kScale, f, 3.0f), 3 * f);
      EXPECT_FLOAT_EQ(apply(kShift, f, 3.0f), f + 3);
    }
    EXPECT_FLOAT_EQ(apply(kRsqrt, static_cast<float>(x)), static_cast<float>(1 / std::sqrt(x)));
  }
}

TEST(Softplus, IsWithinThreeUlp) {
  for (float x = -80; x < 90; x += 0.0137f) {
    const double exact = std::log1p(std::exp(static_cast<double>(x)));
    const double ulp = std::ldexp(1.0, std::ilogb(exact) - 23);
    EXPECT_NEAR(apply(kSoftplus, x), exact, 3 * ulp) << x;
  }
  EXPECT_EQ(apply(kSoftplus, kInf), kInf);
  EXPECT_TRUE(std::isnan(apply(kSoftplus, kNan)));
}

TEST(Activations, AreWithinTheirTolerance) {
  for (double x = -12; x < 12; x += 0.00731) {
    const auto f = static_cast<float>(x);
    const double v = f, u = std::sqrt(2 / std::numbers::pi) * (v + 0.044715 * v * v * v);
    EXPECT_NEAR(apply(kTanh, f), std::tanh(v), 2e-7);
    EXPECT_NEAR(apply(kErf, f), std::erf(v), 5e-7);
    EXPECT_NEAR(apply(kGelu, f), v / 2 * (1 + std::tanh(u)), 3e-7 * std::max(1.0, v));
    EXPECT_NEAR(apply(kGeluErf, f), v / 2 * (1 + std::erf(v / std::numbers::sqrt2)),
                4e-7 * std::max(1.0, v));
    EXPECT_EQ(apply(kRelu, f), std::max(f, 0.0f));
  }
  for (const Unary op : {kGelu, kGeluErf, kRelu}) EXPECT_EQ(apply(op, kInf), kInf) << op;
}

TEST(Cast, RoundsHalfToEvenAndKeepsNan) {
  const float x[] = {0x1.01p0f, 0x1.03p0f, 0x1.0101p0f, kNan, kInf, -0.0f};
  uint16_t y[6];
  elementwise_kernels().cast[0][1](x, y, 6);
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(y[i], float_to_bf16(x[i])) << x[i];
  elementwise_kernels().cast[0][2](x, y, 6);
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(y[i] & 0x7dff, float_to_f16(x[i]) & 0x7dff) << x[i];
}

// --- every instruction set -----------------------------------------------------------------------

class ElementwiseKernelsOf : public testing::TestWithParam<KernelEntry<const ElementwiseKernels*>> {
 protected:
  void SetUp() override { BANTAM_SKIP_UNLESS_AVAILABLE(GetParam().isa); }
  const ElementwiseKernels& kernels = *GetParam().function;
  const ElementwiseKernels& reference = scalar::kElementwiseKernels;

  static Elements sample(DType type, int64_t n, uint64_t seed) {
    Elements x = Elements::sample(type, n, seed);
    if (n % 3 == 0) add_specials(x);
    return x;
  }
};

TEST_P(ElementwiseKernelsOf, GivesTheBitsOfScalarForOneInput) {
  for (int64_t n = 1; n <= 67; ++n) {
    for (size_t t = 0; t < 2; ++t) {
      const Elements x = sample(kTypes[t], n, 1);
      for (int op = 0; op < kUnaryCount; ++op) {
        Elements y(kTypes[t], n), expected = y;
        kernels.unary[op][t](x.data(), y.data(), n, 1.7f);
        reference.unary[op][t](x.data(), expected.data(), n, 1.7f);
        expect_same(expected, y, fmt::format("op {}, type {}, n = {}", op, t, n));
      }
      const DropoutMask mask{{123456789u, 987654321u}, 1u << 22, 1.5f};
      Elements y(kTypes[t], n), expected = y;
      kernels.dropout[t](x.data(), y.data(), int64_t{5} << 32, n, mask);
      reference.dropout[t](x.data(), expected.data(), int64_t{5} << 32, n, mask);
      expect_same(expected, y, fmt::format("dropout, type {}, n = {}", t, n));
    }
  }
}

TEST_P(ElementwiseKernelsOf, GivesTheBitsOfScalarForCasts) {
  for (int64_t n = 1; n <= 67; ++n) {
    for (size_t a = 0; a < 3; ++a) {
      const Elements x = sample(kTypes[a], n, 1);
      for (size_t b = 0; b < 3; ++b) {
        Elements y(kTypes[b], n), expected = y;
        kernels.cast[a][b](x.data(), y.data(), n);
        reference.cast[a][b](x.data(), expected.data(), n);
        expect_same(expected, y, fmt::format("cast {} to {}, n = {}", a, b, n));
      }
    }
  }
}

TEST_P(ElementwiseKernelsOf, GivesTheBitsOfScalarForTwoInputs) {
  for (int64_t n = 1; n <= 67; ++n) {
    for (size_t s = 0; s < 4; ++s) {
      const size_t t = s / 2, u = s % 2;
      const std::string what = fmt::format("types {} {}, n = {}", t, u, n);
      const Elements a = sample(kTypes[t], n, 1), b = sample(kTypes[u], n, 2);
      for (int op = 0; op < kBinaryCount; ++op) {
        Elements y(kTypes[t], n), expected = y;
        kernels.binary[op][t][u](a.data(), b.data(), y.data(), n);
        reference.binary[op][t][u](a.data(), b.data(), expected.data(), n);
        expect_same(expected, y, what);
        kernels.binary_one[op][t][u](a.data(), b.data(), y.data(), n);
        reference.binary_one[op][t][u](a.data(), b.data(), expected.data(), n);
        expect_same(expected, y, what);
      }
    }
  }
}

TEST_P(ElementwiseKernelsOf, GivesTheBitsOfScalarForSwiglu) {
  for (int64_t n = 1; n <= 67; ++n) {
    for (size_t t = 0; t < 2; ++t) {
      const Elements gate = sample(kTypes[t], n, 1), up = Elements::sample(kTypes[t], n, 2);
      Elements y(kTypes[t], n), expected = y;
      kernels.swiglu[t](gate.data(), up.data(), y.data(), n);
      reference.swiglu[t](gate.data(), up.data(), expected.data(), n);
      expect_same(expected, y, "swiglu");
      for (size_t s = 0; s < 4; ++s) {
        const Elements dy = Elements::sample(kTypes[s / 2], n, 3);
        const DType out = kTypes[s % 2];
        Elements dgate(out, n), dup(out, n), expected_dgate(out, n), expected_dup(out, n);
        kernels.swiglu_grad[t][s / 2][s % 2](gate.data(), up.data(), dy.data(), dgate.data(),
                                             dup.data(), n);
        reference.swiglu_grad[t][s / 2][s % 2](gate.data(), up.data(), dy.data(),
                                               expected_dgate.data(), expected_dup.data(), n);
        expect_same(expected_dgate, dgate, "dgate");
        expect_same(expected_dup, dup, "dup");
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(EveryIsa, ElementwiseKernelsOf,
                         testing::ValuesIn(elementwise_table().begin(), elementwise_table().end()),
                         [](const auto& row) { return std::string(isa_name(row.param.isa)); });

// --- ops -----------------------------------------------------------------------------------------

Tensor run(std::string_view op, const std::vector<Tensor>& inputs,
           const Attributes& attributes = {}, int threads = 1) {
  Tensor y = Tensor::zeros(inputs[0].dtype(), inputs[0].shape());
  run_op(elementwise_bindings(), op, attributes, inputs, {y}, threads);
  return y;
}

TEST(Add, BroadcastsTrailingExtentsAndSingleElements) {
  const Tensor a = sample_tensor(DType::f32, {70, 5, 61}, 1);
  const Tensor bias = sample_tensor(DType::f32, {5, 61}, 2);
  const Tensor one = Tensor::from(std::vector<float>{2.5f}, {1});
  const Tensor y = run("add", {a, bias}, {}, 2), z = run("mul", {a, one}, {}, 2);
  for (int64_t i = 0; i < a.shape().elements(); ++i) {
    ASSERT_EQ(y.as<float>()[i], a.as<float>()[i] + bias.as<float>()[i % 305]) << i;
    ASSERT_EQ(z.as<float>()[i], a.as<float>()[i] * 2.5f) << i;
  }
}

TEST(Accumulate, AddsToTheStateInPlace) {
  const Tensor state = Tensor::from(std::vector<float>{1, 2, 3}, {3});
  const Tensor x = Tensor::from(std::vector<float>{10, 20, 30}, {3}).to(DType::bf16);
  run_op(elementwise_bindings(), "accumulate", {}, {state, x}, {state});
  EXPECT_EQ(state.as<float>()[0], 11);
  EXPECT_EQ(state.as<float>()[2], 33);
}

TEST(Log, UndoesExp) {
  const Tensor x = sample_tensor(DType::f32, {50}, 1);
  const Tensor y = run("log", {run("exp", {x})});
  for (int i = 0; i < 50; ++i) EXPECT_NEAR(y.as<float>()[i], x.as<float>()[i], 1e-6);
}

TEST(SwigluGrad, AgreesWithFiniteDifferences) {
  const Shape shape{3, 7};
  const Tensor gate = sample_tensor(DType::f32, shape, 1), up = sample_tensor(DType::f32, shape, 2);
  const Tensor dy = sample_tensor(DType::f32, shape, 3);
  const Tensor dgate = Tensor::zeros(DType::f32, shape), dup = Tensor::zeros(DType::f32, shape);
  run_op(elementwise_bindings(), "swiglu_grad", {}, {gate, up, dy}, {dgate, dup});
  expect_gradient(gate, dgate, dy, [&] { return run("swiglu", {gate, up}); });
  expect_gradient(up, dup, dy, [&] { return run("swiglu", {gate, up}); });
}

Tensor dropout(const Tensor& x, int32_t seed, int64_t salt, double p, int threads = 1) {
  const Tensor s = Tensor::zeros(DType::i32, {1});
  *s.as<int32_t>() = seed;
  return run("dropout", {x, s}, {{"p", p}, {"salt", salt}}, threads);
}

TEST(Dropout, ZeroesTheStatedShareAndScalesTheRest) {
  const int64_t n = 200000;
  const Tensor x = Tensor::from(std::vector<float>(n, 1.0f), {n});
  const Tensor y = dropout(x, 7, 3, 0.25);
  int64_t zeros = 0;
  for (int64_t i = 0; i < n; ++i) {
    const float v = y.as<float>()[i];
    zeros += v == 0;
    ASSERT_TRUE(v == 0 || v == 1.0f / 0.75f);
  }
  EXPECT_NEAR(static_cast<double>(zeros) / n, 0.25, 0.005);
}

TEST(Dropout, IsAFunctionOfSeedSaltAndPositionOnly) {
  const int64_t n = 50000;
  const Tensor x = Tensor::from(std::vector<float>(n, 1.0f), {n});
  const Tensor y = dropout(x, 7, 3, 0.5);
  expect_same(y, dropout(x, 7, 3, 0.5, 3));
  // Masks of another seed or salt agree on half of the elements, as independent ones do.
  for (const Tensor& other : {dropout(x, 8, 3, 0.5), dropout(x, 7, 4, 0.5)}) {
    int64_t equal = 0;
    for (int64_t i = 0; i < n; ++i) equal += y.as<float>()[i] == other.as<float>()[i];
    EXPECT_NEAR(static_cast<double>(equal) / n, 0.5, 0.02);
  }
}

TEST(Transpose, SwapsAnyTwoAxes) {
  const Shape shape{2, 35, 3, 40};
  const Tensor f32 = sample_tensor(DType::f32, shape, 1);
  for (const DType type : {DType::f32, DType::bf16}) {
    const Tensor x = f32.to(type);
    for (int a = 0; a < 4; ++a) {
      for (int b = 0; b < 4; ++b) {
        Shape swapped = shape;
        std::swap(swapped[a], swapped[b]);
        const Tensor y = Tensor::zeros(type, swapped);
        run_op(elementwise_bindings(), "transpose", {{"a", int64_t{a}}, {"b", int64_t{b}}}, {x},
               {y}, 2);
        const Tensor y32 = y.to(DType::f32), x32 = x.to(DType::f32);
        for (int64_t i = 0; i < shape.elements(); ++i) {
          int64_t at[4] = {i / 4200, i / 120 % 35, i / 40 % 3, i % 40};
          std::swap(at[a], at[b]);
          const int64_t j =
              ((at[0] * swapped[1] + at[1]) * swapped[2] + at[2]) * swapped[3] + at[3];
          ASSERT_EQ(x32.as<float>()[i], y32.as<float>()[j]) << a << " " << b << " " << i;
        }
      }
    }
  }
}

TEST(Copy, CopiesEveryByte) {
  const Tensor x = sample_tensor(DType::f32, {3, 30001}, 1);
  expect_same(x, run("copy", {x}, {}, 2));
}

}  // namespace
}  // namespace bantam::cpu
