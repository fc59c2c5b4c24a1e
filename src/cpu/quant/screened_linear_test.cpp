#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/random.h"
#include "base/thread_pool.h"
#include "cpu/backend.h"
#include "cpu/quant/head_screen.h"
#include "tensor/layout.h"
#include "tensor/random_blocks.h"

namespace bantam::cpu {
namespace {

Tensor normal_tensor(const Shape& shape, uint64_t seed, float scale = 1) {
  Random random(seed);
  Tensor t = Tensor::zeros(DType::f32, shape);
  for (int64_t i = 0; i < shape.elements(); ++i) t.as<float>()[i] = scale * random.normal();
  return t;
}

// Runs an op as the executor does.
void run_op(std::string_view op, const std::vector<Tensor>& inputs, const Tensor& output,
            ThreadPool& pool) {
  std::vector<TensorView> in;
  for (const Tensor& t : inputs) in.push_back(t.view());
  const TensorView out[] = {output.view()};
  const Attributes attributes;
  const auto kernel = cpu_backend().bind(op, attributes, in, out, pool.size());
  ASSERT_TRUE(kernel.has_value());
  std::vector<int64_t> scratch(static_cast<size_t>(kernel->scratch_bytes / 8 + 1));
  kernel->run({in, out, attributes, scratch.data(), pool});
}

Tensor full(const Tensor& x, const Tensor& w, ThreadPool& pool) {
  const Tensor y = Tensor::zeros(DType::f32, {x.shape()[0], w.shape()[0]});
  run_op("linear", {x, w}, y, pool);
  return y;
}

Tensor screened(const Tensor& x, const Tensor& w, const HeadScreen& s, std::vector<int32_t> best,
                ThreadPool& pool) {
  const Tensor y = Tensor::zeros(DType::f32, {x.shape()[0], w.shape()[0]});
  const Tensor numbers = Tensor::zeros(DType::i32, {x.shape()[0]});
  std::ranges::copy(best, numbers.as<int32_t>());
  run_op("screened_linear", {x, w, s.codes, s.bounds, numbers}, y, pool);
  return y;
}

// That every element as large as the best'th is there, and that what is there has the same bits.
// Returns how many are not.
int64_t expect_best(const float* got, const float* expected, int64_t n, int32_t best) {
  std::vector<float> sorted(expected, expected + n);
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  const float least = best > 0 && best <= n ? sorted[static_cast<size_t>(best) - 1] : -INFINITY;
  int64_t missing = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (std::memcmp(&got[i], &expected[i], sizeof(float)) == 0) continue;
    ++missing;
    EXPECT_EQ(got[i], -INFINITY) << i;
    EXPECT_LT(expected[i], least) << i;
  }
  return missing;
}

// Activations that look in the direction of a row, as those of a trained model do.
Tensor towards(const Tensor& w, int64_t row, float noise, uint64_t seed) {
  const int64_t K = w.shape()[1];
  Tensor x = normal_tensor({1, K}, seed, noise);
  std::vector<float> direction(static_cast<size_t>(K));
  row_to_float(w.view(), row, direction.data());
  for (int64_t i = 0; i < K; ++i) x.as<float>()[i] += 10 * direction[static_cast<size_t>(i)];
  return x.to(DType::q8a);
}

class HeadType : public testing::TestWithParam<DType> {};

TEST_P(HeadType, GivesTheBestToTheBitForAnyNumberOfThemAndAnyThreads) {
  for (const int64_t V : {5, 301, 1603}) {
    const Tensor rows = normal_tensor({V, 512}, 3, 0.05f).to(GetParam());
    for (const int threads : {1, 2, 5}) {
      ThreadPool pool(threads, true);
      const Tensor w = threads == 2 && V > 16 ? interleave(rows, pool) : rows;
      const HeadScreen s = make_head_screen(w.view(), pool);
      int64_t missing = 0;
      for (const int32_t best : {0, 1, 2, 5, 40, 64, 400, 5000}) {
        const Tensor x = towards(rows, 7 * best % V, 0.1f, static_cast<uint64_t>(best));
        const Tensor expected = full(x, w, pool), got = screened(x, w, s, {best}, pool);
        missing += expect_best(got.as<float>(), expected.as<float>(), V, best);
      }
      if (V > 1000) {
        EXPECT_GT(missing, V);  // it leaves something out
      }
    }
  }
}

TEST_P(HeadType, RowsDoNotDependOnTheirCompany) {
  ThreadPool pool(2, true);
  const Tensor w = normal_tensor({1000, 256}, 3, 0.05f).to(GetParam());
  const HeadScreen s = make_head_screen(w.view(), pool);
  const Tensor x = normal_tensor({4, 256}, 9).to(DType::q8a);
  const std::vector<int32_t> best = {1, 0, 20, 3};
  const Tensor all = screened(x, w, s, best, pool);
  for (int64_t i = 0; i < 4; ++i) {
    const Tensor one = Tensor::zeros(DType::q8a, {1, 256});
    std::memcpy(one.data(), x.as<BlockQ8A>() + i * 8, static_cast<size_t>(one.bytes()));
    const Tensor alone = screened(one, w, s, {best[static_cast<size_t>(i)]}, pool);
    EXPECT_EQ(std::memcmp(alone.data(), all.as<float>() + i * 1000, 4000), 0) << i;
  }
}

TEST_P(HeadType, EqualLogitsAreAllGiven) {
  ThreadPool pool(1);
  const Tensor some = normal_tensor({600, 256}, 3, 0.05f).to(GetParam());
  const Tensor w = some.clone();
  const int64_t row = w.bytes() / 600;
  for (const int64_t twin : {17, 18, 311, 599})
    std::memcpy(w.as<char>() + twin * row, w.as<char>() + 5 * row, static_cast<size_t>(row));
  const HeadScreen s = make_head_screen(w.view(), pool);
  const Tensor x = towards(w, 5, 0.01f, 1);
  const Tensor got = screened(x, w, s, {1}, pool), expected = full(x, w, pool);
  for (const int64_t i : {5, 17, 18, 311, 599}) {
    EXPECT_EQ(got.as<float>()[i], expected.as<float>()[5]) << i;
  }
  EXPECT_GT(expect_best(got.as<float>(), expected.as<float>(), 600, 1), 0);
}

TEST_P(HeadType, BoundsHoldForRowsAndActivationsThatReachForThem) {
  ThreadPool pool(1);
  const int64_t V = 160, K = 512;
  for (const float scale : {1e-4f, 0.05f, 100.0f}) {
    Tensor values = normal_tensor({V, K}, 3, scale);
    for (int64_t i = 0; i < V * K; ++i) {
      float& v = values.as<float>()[i];
      if (i / K % 4 == 1 && i % 32 == 0) v *= 40;       // a large value in each block
      if (i / K % 4 == 2) v = std::copysign(scale, v);  // all of one size
      if (i / K % 4 == 3 && i % 64 < 32) v = 0;
    }
    const Tensor w = values.to(GetParam());
    const HeadScreen s = make_head_screen(w.view(), pool);
    const Tensor coarse = deinterleave(s.codes);
    std::vector<float> exact(static_cast<size_t>(K)), copy(exact);
    for (int64_t n = 0; n < V; ++n) {
      row_to_float(w.view(), n, exact.data());
      row_to_float(coarse.view(), n, copy.data());
      // What the coarse row lacks: Cauchy and Schwarz's equality, but for rounding.
      Tensor x = Tensor::zeros(DType::f32, {1, K});
      for (size_t i = 0; i < exact.size(); ++i) x.as<float>()[i] = (exact[i] - copy[i]) / scale;
      const Tensor q = x.to(DType::q8a);
      const float norm = norm_above(q.as<BlockQ8A>(), K / 32);
      const auto at = static_cast<size_t>(n);
      const Tensor y = full(q, w, pool), screen = full(q, coarse, pool);
      const double error = std::abs(static_cast<double>(y.as<float>()[at]) -
                                    static_cast<double>(screen.as<float>()[at]));
      EXPECT_LE(error, static_cast<double>(s.bounds.as<float>()[n]) * static_cast<double>(norm));
      if (n % 4 == 0) {
        EXPECT_GT(error, 0.9 * static_cast<double>(s.bounds.as<float>()[n] * norm));
      }
    }
  }
}

TEST_P(HeadType, NotFiniteWeightsAndActivationsGiveWhatAFullHeadGives) {
  ThreadPool pool(2, true);
  const Tensor w = normal_tensor({600, 256}, 3, 0.05f).to(GetParam());
  const int64_t row = w.bytes() / 600;
  set_block_scales(GetParam(), w.as<uint8_t>() + 77 * row, std::nanf(""), 0);
  set_block_scales(GetParam(), w.as<uint8_t>() + 433 * row, INFINITY, 0);
  const HeadScreen s = make_head_screen(w.view(), pool);
  for (const float bad : {1.0f, std::nanf(""), INFINITY, 1e38f, 1e-37f, 0.0f}) {
    Tensor x = normal_tensor({1, 256}, 9, bad == 1e-37f || bad == 0 ? 1e-38f : 1);
    x.as<float>()[40] = bad;
    const Tensor q = x.to(DType::q8a);
    const Tensor expected = full(q, w, pool), got = screened(q, w, s, {3}, pool);
    std::vector<float> finite(expected.as<float>(), expected.as<float>() + 600);
    for (float& v : finite) v = std::isnan(v) ? -INFINITY : v;
    std::nth_element(finite.begin(), finite.begin() + 2, finite.end(), std::greater<>());
    for (int64_t i = 0; i < 600; ++i) {
      const float a = expected.as<float>()[i], b = got.as<float>()[i];
      const bool same = a == b || (std::isnan(a) && std::isnan(b));
      EXPECT_TRUE(same || (b == -INFINITY && a < finite[2])) << bad << " " << i << " " << a << b;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(ScreenedLinear, HeadType, testing::Values(DType::q8_0, DType::q6_k),
                         [](const auto& test) { return std::string(dtype_info(test.param).name); });

}  // namespace
}  // namespace bantam::cpu
