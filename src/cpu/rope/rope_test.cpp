#include <fmt/format.h>

#include "cpu/elementwise/test_kit.h"
#include "cpu/rope/table.h"

namespace bantam::cpu {
namespace {

using namespace test;

Tensor positions_of(const std::vector<int32_t>& values) {
  const Tensor t = Tensor::zeros(DType::i32, {static_cast<int64_t>(values.size())});
  std::copy(values.begin(), values.end(), t.as<int32_t>());
  return t;
}

Attributes attributes(int64_t pairs, int64_t rotary_dims, int64_t inverse = 0) {
  return {{"theta", 10000.0}, {"pairs", pairs}, {"rotary_dims", rotary_dims}, {"inverse", inverse}};
}

// Inputs: what the table is made of, positions and perhaps factors.
void rope_into(const Tensor& y, const Tensor& x, const std::vector<Tensor>& inputs,
               const Attributes& a, int threads = 1) {
  const int64_t pairs = a.integer("rotary_dims") / 2;
  const auto order = static_cast<RopeLayout>(a.integer("pairs"));
  const Tensor table = Tensor::zeros(DType::f32, {x.shape()[0], rope_row_floats(order, pairs)});
  run_op(rope_bindings(), "rope_table", a, inputs, {table}, threads);
  run_op(rope_bindings(), "rope", a, {x, table}, {y}, threads);
}

Tensor rope(const Tensor& x, const std::vector<Tensor>& inputs, const Attributes& a,
            int threads = 1) {
  const Tensor y = Tensor::zeros(x.dtype(), x.shape());
  rope_into(y, x, inputs, a, threads);
  return y;
}

TEST(Rope, FollowsTheFormulaForBothPairings) {
  const int64_t H = 3, D = 44, R = 38;
  const std::vector<int32_t> at{0, 5, 100000, -3, 1};
  const Tensor x = sample_tensor(DType::f32, {5, H, D}, 1);
  const Tensor factors = Tensor::from(std::vector<float>(R / 2, 4.0f), {R / 2});
  for (const int64_t halves : {0, 1}) {
    for (const double factor : {1.0, 4.0}) {
      const Tensor p = positions_of(at);
      const auto inputs = factor != 1.0 ? std::vector<Tensor>{p, factors} : std::vector<Tensor>{p};
      const Tensor y = rope(x, inputs, attributes(halves, R));
      for (int64_t row = 0; row < 5 * H; ++row) {
        const float *u = x.as<float>() + row * D, *v = y.as<float>() + row * D;
        for (int64_t i = 0; i < R / 2; ++i) {
          const double angle = at[static_cast<size_t>(row / H)] *
                               std::pow(10000.0, -2.0 * static_cast<double>(i) / R) / factor;
          const int64_t a = halves ? i : 2 * i, b = halves ? i + R / 2 : 2 * i + 1;
          ASSERT_NEAR(v[a], u[a] * std::cos(angle) - u[b] * std::sin(angle), 1e-6);
          ASSERT_NEAR(v[b], u[b] * std::cos(angle) + u[a] * std::sin(angle), 1e-6);
        }
        for (int64_t i = R; i < D; ++i) ASSERT_EQ(v[i], u[i]);
      }
    }
  }
}

TEST(Rope, TableIsWithinHalfAnUlpOfTheLibrary) {
  const double frequency = 1.0;
  for (int64_t position = -1000; position < 2000000; position += 7919) {
    float row[2];
    rope_table_row(RopeLayout::halves, position, &frequency, 1, false, row);
    ASSERT_NEAR(row[0], std::cos(static_cast<double>(position)), 3.0e-8) << position;
    ASSERT_NEAR(row[1], std::sin(static_cast<double>(position)), 3.0e-8) << position;
  }
}

TEST(Rope, InverseUndoesTheRotationInPlace) {
  const Tensor x = sample_tensor(DType::f32, {4, 2, 32}, 1);
  const Tensor at = positions_of({3, 700, 12, 40000});
  for (const int64_t halves : {0, 1}) {
    const Tensor y = x.clone();
    rope_into(y, y, {at}, attributes(halves, 32));
    rope_into(y, y, {at}, attributes(halves, 32, 1));
    for (int64_t i = 0; i < 4 * 64; ++i) ASSERT_NEAR(y.as<float>()[i], x.as<float>()[i], 1e-6);
  }
}

TEST(Rope, OfARowDoesNotDependOnItsBatchOrOnThreads) {
  const int64_t rows = 300;
  std::vector<int32_t> at;
  for (int32_t i = 0; i < rows; ++i) at.push_back(i % 50);
  const Tensor x = sample_tensor(DType::bf16, {rows, 4, 64}, 1);
  const Tensor y = rope(x, {positions_of(at)}, attributes(1, 64), 1);
  expect_same(y, rope(x, {positions_of(at)}, attributes(1, 64), 3));
  for (const int64_t row : {0, 49, 120, 299}) {
    const Tensor alone = Tensor::zeros(DType::bf16, {1, 4, 64}), expected = alone.clone();
    std::memcpy(alone.data(), x.as<std::byte>() + row * 512, 512);
    std::memcpy(expected.data(), y.as<std::byte>() + row * 512, 512);
    expect_same(expected,
                rope(alone, {positions_of({at[static_cast<size_t>(row)]})}, attributes(1, 64)));
  }
}

class RopeKernelsOf : public testing::TestWithParam<KernelEntry<const RopeKernels*>> {
 protected:
  void SetUp() override { BANTAM_SKIP_UNLESS_AVAILABLE(GetParam().isa); }
};

TEST_P(RopeKernelsOf, GivesTheBitsOfScalar) {
  for (int64_t pairs = 1; pairs <= 67; ++pairs) {
    const int64_t D = 2 * pairs + pairs % 4;
    const Elements table = Elements::sample(DType::f32, 4 * pairs, 1);
    for (size_t layout = 0; layout < 2; ++layout) {
      for (size_t t = 0; t < 2; ++t) {
        const DType type = t ? DType::bf16 : DType::f32;
        Elements x = Elements::sample(type, 2 * D, 2);
        if (pairs % 5 == 0) add_specials(x);
        Elements y(type, 2 * D), expected = y;
        GetParam().function->rope[layout][t](x.data(), table.f32(), y.data(), 2, D, pairs);
        scalar::kRopeKernels.rope[layout][t](x.data(), table.f32(), expected.data(), 2, D, pairs);
        expect_same(expected, y, fmt::format("{} pairs, layout {}", pairs, layout));
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(EveryIsa, RopeKernelsOf,
                         testing::ValuesIn(rope_table().begin(), rope_table().end()),
                         [](const auto& row) { return std::string(isa_name(row.param.isa)); });

}  // namespace
}  // namespace bantam::cpu
