#include <fmt/format.h>

#include "cpu/elementwise/test_kit.h"
#include "cpu/reduce/table.h"

namespace bantam::cpu {
namespace {

using namespace test;

class ReduceKernelsOf : public testing::TestWithParam<KernelEntry<const ReduceKernels*>> {
 protected:
  void SetUp() override { BANTAM_SKIP_UNLESS_AVAILABLE(GetParam().isa); }
};

TEST_P(ReduceKernelsOf, GivesTheBitsOfScalar) {
  const ReduceKernels &kernels = *GetParam().function, &reference = scalar::kReduceKernels;
  for (int64_t C = 1; C <= 67; ++C) {
    for (size_t t = 0; t < 2; ++t) {
      Elements x = Elements::sample(t ? DType::bf16 : DType::f32, 3 * C, 1);
      if (C % 5 == 0) add_specials(x);
      Elements got(DType::f32, 2), expected(DType::f32, 2);
      got.set(0, kernels.sum[t](x.data(), C));
      got.set(1, kernels.sum_squares[t](x.data(), C));
      expected.set(0, reference.sum[t](x.data(), C));
      expected.set(1, reference.sum_squares[t](x.data(), C));
      expect_same(expected, got, fmt::format("sums, C = {}", C));

      Elements sums = Elements::sample(DType::f32, C, 2), expected_sums = sums;
      kernels.column_sum[t](x.data(), sums.f32(), 3, C);
      reference.column_sum[t](x.data(), expected_sums.f32(), 3, C);
      expect_same(expected_sums, sums, fmt::format("column sums, C = {}", C));
    }
    const Elements x = Elements::sample(DType::f32, 3 * C, 3),
                   r = Elements::sample(DType::f32, 3, 4);
    for (const auto& [kernel, plain] : {std::pair{kernels.mul_rows, reference.mul_rows},
                                        std::pair{kernels.add_rows, reference.add_rows}}) {
      Elements y(DType::f32, 3 * C), expected = y;
      kernel(x.f32(), r.f32(), y.f32(), 3, C);
      plain(x.f32(), r.f32(), expected.f32(), 3, C);
      expect_same(expected, y, fmt::format("rows, C = {}", C));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(EveryIsa, ReduceKernelsOf,
                         testing::ValuesIn(reduce_table().begin(), reduce_table().end()),
                         [](const auto& row) { return std::string(isa_name(row.param.isa)); });

Tensor run(std::string_view op, const std::vector<Tensor>& inputs, const Shape& shape,
           const Attributes& attributes = {}, int threads = 1) {
  Tensor y = Tensor::zeros(DType::f32, shape);
  run_op(reduce_bindings(), op, attributes, inputs, {y}, threads);
  return y;
}

TEST(Sums, AgreeWithTheFormulas) {
  const Shape shape{201, 3, 37};
  const int64_t rows = 603, C = 37;
  const Tensor x = sample_tensor(DType::f32, shape, 1);
  std::vector<double> row(static_cast<size_t>(rows)), column(static_cast<size_t>(C)), two(111);
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < rows * C; ++i) {
    const auto v = static_cast<double>(x.as<float>()[i]);
    row[static_cast<size_t>(i / C)] += v;
    column[static_cast<size_t>(i % C)] += v;
    two[static_cast<size_t>(i % 111)] += v;
    sum += v;
    squares += v * v;
  }
  const Tensor by_row = run("row_sum", {x}, {201, 3, 1});
  const Tensor by_column = run("column_sum", {x}, {C}, {{"trailing", int64_t{1}}});
  const Tensor by_two = run("column_sum", {x}, {3, C}, {{"trailing", int64_t{2}}});
  for (size_t i = 0; i < row.size(); ++i) EXPECT_NEAR(by_row.as<float>()[i], row[i], 1e-5);
  for (size_t i = 0; i < column.size(); ++i) EXPECT_NEAR(by_column.as<float>()[i], column[i], 1e-4);
  for (size_t i = 0; i < two.size(); ++i) EXPECT_NEAR(by_two.as<float>()[i], two[i], 1e-4);
  EXPECT_NEAR(run("sum", {x}, {1}).as<float>()[0], sum, 1e-3);
  EXPECT_NEAR(run("sum_squares", {x}, {1}).as<float>()[0], squares, 1e-2);
}

TEST(Sums, DoNotDependOnTheNumberOfThreads) {
  const Tensor x = sample_tensor(DType::bf16, {1000, 77}, 1);
  const Attributes one_extent{{"trailing", int64_t{1}}};
  expect_same(run("column_sum", {x}, {77}, one_extent, 1),
              run("column_sum", {x}, {77}, one_extent, 3));
  expect_same(run("sum", {x}, {1}, {}, 1), run("sum", {x}, {1}, {}, 3));
  expect_same(run("sum_squares", {x}, {1}, {}, 1), run("sum_squares", {x}, {1}, {}, 3));
}

TEST(Rows, AreScaledShiftedAndBroadcast) {
  const Tensor x = sample_tensor(DType::f32, {400, 50}, 1),
               r = sample_tensor(DType::f32, {400, 1}, 2);
  const Tensor scaled = run("mul_rows", {x, r}, x.shape(), {}, 2);
  const Tensor shifted = run("add_rows", {x, r}, x.shape(), {}, 2);
  const Tensor spread = run("broadcast_rows", {r}, x.shape(), {}, 2);
  for (int64_t i = 0; i < 400 * 50; ++i) {
    const float xi = x.as<float>()[i], ri = r.as<float>()[i / 50];
    ASSERT_EQ(scaled.as<float>()[i], xi * ri);
    ASSERT_EQ(shifted.as<float>()[i], xi + ri);
    ASSERT_EQ(spread.as<float>()[i], ri);
  }
}

}  // namespace
}  // namespace bantam::cpu
