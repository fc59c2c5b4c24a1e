#include "cpu/matmul/matmul.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/half.h"
#include "base/random.h"
#include "cpu/bindings.h"
#include "cpu/matmul/gemm.h"

namespace bantam::cpu {
namespace {

template <typename Entry>
bool runs_here(const Entry& entry) {
  const auto need = static_cast<uint32_t>(entry.isa);
  return (need & detected_isas()) == need;
}

std::vector<float> floats(int64_t n, uint64_t seed) {
  Random random(seed);
  std::vector<float> values(static_cast<size_t>(n));
  for (float& v : values) v = random.normal();
  return values;
}

std::vector<uint16_t> halves(const std::vector<float>& values, uint16_t (*convert)(float)) {
  std::vector<uint16_t> out;
  out.reserve(values.size());
  for (const float v : values) out.push_back(convert(v));
  return out;
}

// Memory of an operand (count vectors of length k) in either order.
template <typename T>
GemmOperand operand(const std::vector<T>& data, int64_t count, int64_t k, bool k_contiguous) {
  return {data.data(), k_contiguous ? k : count, k_contiguous};
}

// A product of random matrices, with all orders of operands, types of results and blockings.
struct Problem {
  int64_t m, n, k;
  bool ta, tb, bf16, c_bf16;
  std::vector<float> a, b;
  std::vector<uint16_t> a16, b16;

  Problem(int64_t m_, int64_t n_, int64_t k_, bool ta_, bool tb_, bool bf16_, bool c_bf16_)
      : m(m_),
        n(n_),
        k(k_),
        ta(ta_),
        tb(tb_),
        bf16(bf16_),
        c_bf16(c_bf16_),
        a(floats(m * k, 1)),
        b(floats(n * k, 2)) {
    if (!bf16) return;
    a16 = halves(a, float_to_bf16);
    b16 = halves(b, float_to_bf16);
    for (size_t i = 0; i < a.size(); ++i) a[i] = bf16_to_float(a16[i]);
    for (size_t i = 0; i < b.size(); ++i) b[i] = bf16_to_float(b16[i]);
  }

  [[nodiscard]] float a_at(int64_t i, int64_t j) const {
    return a[static_cast<size_t>(ta ? j * m + i : i * k + j)];
  }
  [[nodiscard]] float b_at(int64_t i, int64_t j) const {
    return b[static_cast<size_t>(tb ? i * k + j : j * n + i)];
  }

  [[nodiscard]] std::vector<float> run(const GemmKernels& kernels, int threads) const {
    const auto outputs = static_cast<size_t>(m * n);
    std::vector<float> c(outputs + 1, -7.0f);
    std::vector<uint16_t> c16(outputs + 1, 0x4321);
    Gemm g{&kernels, m, n, k, bf16 ? 2 : 4, {}, {}, c.data(), c_bf16};
    g.a = bf16 ? operand(a16, m, k, !ta) : operand(a, m, k, !ta);
    g.b = bf16 ? operand(b16, n, k, tb) : operand(b, n, k, tb);
    if (c_bf16) g.c = c16.data();
    std::vector<char> scratch(
        static_cast<size_t>(gemm_scratch_bytes(kernels, n, k, c_bf16, threads)));
    ThreadPool pool(threads);
    if (threads == 1)
      run_gemm(g, scratch.data());
    else
      run_gemm(g, scratch.data(), pool);
    if (c_bf16) {
      EXPECT_EQ(c16.back(), 0x4321);
      for (size_t i = 0; i < outputs; ++i) c[i] = bf16_to_float(c16[i]);
    } else {
      EXPECT_EQ(c.back(), -7.0f);
    }
    c.resize(outputs);
    return c;
  }
};

struct Size {
  int64_t m, n, k;
};
constexpr Size kSizes[] = {{1, 1, 1},    {3, 17, 5},    {16, 16, 32}, {33, 65, 31},  {37, 5, 100},
                           {64, 96, 64}, {70, 31, 129}, {9, 40, 530}, {31, 33, 2051}};

template <typename Check>
void for_all_products(bool bf16, const Check& check) {
  for (const Size& s : kSizes)
    for (int form = 0; form < 4; ++form)
      for (int out = 0; out <= static_cast<int>(bf16); ++out)
        check(Problem(s.m, s.n, s.k, (form & 1) != 0, (form & 2) != 0, bf16, out != 0));
}

TEST(Matmul, IsTestedOnEveryInstructionSet) {
  std::string missing;
  for (const auto& entry : gemm_table_bf16())
    if (!runs_here(entry)) missing.append(" ").append(isa_name(entry.isa));
  if (!missing.empty()) GTEST_SKIP() << "this machine lacks" << missing;
}

TEST(Linear, GivesTheSameBitsOnEveryInstructionSet) {
  for (const int64_t k : {1, 7, 16, 33, 100}) {
    for (const int64_t rows : {1, 2, 3, 7, 13}) {
      const int64_t n = 11;
      const auto x = floats(rows * k, 3), w = floats(n * k, 4);
      const auto w16 = halves(w, float_to_f16), wb = halves(w, float_to_bf16);
      std::vector<float> expected[3];
      for (const auto& entry : linear_table()) {
        if (!runs_here(entry)) continue;
        const LinearKernel kernels[] = {entry.function->f32, entry.function->f16,
                                        entry.function->bf16};
        const void* weights[] = {w.data(), w16.data(), wb.data()};
        for (size_t t = 0; t < 3; ++t) {
          std::vector<float> y(static_cast<size_t>(rows * n + 1), -7.0f);
          kernels[t](x.data(), k, weights[t], k, rows, n, y.data(), n);
          if (expected[t].empty()) expected[t] = y;
          EXPECT_EQ(y, expected[t]) << isa_name(entry.isa) << " k " << k << " rows " << rows;
        }
      }
    }
  }
}

TEST(Linear, WidensEveryHalfExactly) {
  std::vector<uint16_t> w;
  for (uint32_t bits = 0; bits < 65536; ++bits)
    if ((bits & 0x7c00u) != 0x7c00u) w.push_back(static_cast<uint16_t>(bits));
  const float one = 1.0f;
  const auto n = static_cast<int64_t>(w.size());
  for (const auto& entry : linear_table()) {
    if (!runs_here(entry)) continue;
    std::vector<float> y(w.size());
    entry.function->f16(&one, 1, w.data(), 1, 1, n, y.data(), n);
    for (size_t i = 0; i < w.size(); ++i)
      ASSERT_EQ(y[i], f16_to_float(w[i])) << isa_name(entry.isa) << " bits " << w[i];
  }
}

TEST(Gemm, GivesTheSameBitsInF32OnEveryInstructionSet) {
  for_all_products(false, [](const Problem& p) {
    std::vector<float> expected;
    for (const auto& entry : gemm_table_f32()) {
      if (!runs_here(entry)) continue;
      const auto c = p.run(*entry.function, 1);
      if (expected.empty()) expected = c;
      EXPECT_EQ(c, expected) << isa_name(entry.isa) << " " << p.m << " " << p.n << " " << p.k << " "
                             << p.ta << p.tb;
    }
  });
}

TEST(Gemm, AgreesWithADoublePrecisionSumOfTheSameElements) {
  for_all_products(true, [](const Problem& p) {
    for (const auto& entry : gemm_table_bf16()) {
      if (!runs_here(entry)) continue;
      const auto c = p.run(*entry.function, 1);
      for (int64_t i = 0; i < p.m; ++i) {
        for (int64_t j = 0; j < p.n; ++j) {
          double sum = 0, size = 0;
          for (int64_t k = 0; k < p.k; ++k) {
            const double product = static_cast<double>(p.a_at(i, k)) * p.b_at(j, k);
            sum += product;
            size += std::abs(product);
          }
          const double tolerance = size * 1e-5 + (p.c_bf16 ? std::abs(sum) / 128 : 0);
          ASSERT_NEAR(c[static_cast<size_t>(i * p.n + j)], sum, tolerance)
              << isa_name(entry.isa) << " " << p.m << " " << p.n << " " << p.k << " at " << i << ","
              << j << " form " << p.ta << p.tb << p.c_bf16;
        }
      }
    }
  });
}

TEST(Gemm, GivesTheSameBitsForAnyNumberOfThreads) {
  for (const bool ta : {false, true}) {
    for (const bool c_bf16 : {false, true}) {
      const Problem p(201, 520, 1100, ta, false, true, c_bf16);
      for (const auto& entry : gemm_table_bf16()) {
        if (!runs_here(entry) || entry.function != &gemm_kernels_bf16()) continue;
        const auto expected = p.run(*entry.function, 1);
        for (const int threads : {2, 4})
          EXPECT_EQ(p.run(*entry.function, threads), expected) << isa_name(entry.isa);
      }
    }
  }
}

TEST(Gemm, GivesARowTheSameBitsAloneAndAmongOthers) {
  const Problem all(37, 70, 1000, false, true, true, false);
  Problem alone(1, 70, 1000, false, true, true, false);
  alone.a16.assign(all.a16.begin() + 3000, all.a16.begin() + 4000);
  for (const auto& entry : gemm_table_bf16()) {
    if (!runs_here(entry)) continue;
    const auto c = all.run(*entry.function, 1);
    EXPECT_EQ(std::vector<float>(c.begin() + 210, c.begin() + 280), alone.run(*entry.function, 1))
        << isa_name(entry.isa);
  }
}

// Both packings of an instruction set against their scalar twins.
void expect_same_packing(const KernelEntry<const GemmKernels*>& entry, PackKernel twin_a,
                         PackKernel twin_b) {
  const int64_t stride = 200;
  std::vector<uint16_t> source(static_cast<size_t>(stride * stride));
  for (size_t i = 0; i < source.size(); ++i) source[i] = static_cast<uint16_t>(i * 40503u);
  for (const int64_t width : {1, 8, 15, 16, 31, 32}) {
    for (const int64_t k : {1, 31, 32, 33, 100, 128}) {
      for (const bool k_contiguous : {false, true}) {
        std::vector<uint16_t> expected(kPanel * 128 + 1, 7), got = expected;
        twin_a(source.data(), stride, k_contiguous, width, k, expected.data());
        entry.function->pack_a(source.data(), stride, k_contiguous, width, k, got.data());
        EXPECT_EQ(got, expected) << "A " << width << " " << k << " " << k_contiguous;
        twin_b(source.data(), stride, k_contiguous, width, k, expected.data());
        entry.function->pack_b(source.data(), stride, k_contiguous, width, k, got.data());
        EXPECT_EQ(got, expected) << "B " << width << " " << k << " " << k_contiguous;
      }
    }
  }
}

TEST(Gemm, PacksBf16AsTheScalarTwinsDo) {
  for (const auto& entry : gemm_table_bf16()) {
    if (!runs_here(entry)) continue;
    if (entry.function->step == kPairStep)
      expect_same_packing(entry, scalar::pack_pairs_a, scalar::pack_pairs_b);
    if (entry.function->step == kQuadStep)
      expect_same_packing(entry, scalar::pack_quads, scalar::pack_quads);
  }
}

TEST(Gemm, RoundsToBf16ToNearestEven) {
  std::vector<float> values = floats(1000, 9);
  values.insert(values.end(),
                {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 3.4e38f, bits_float(0x3f808000u),
                 bits_float(0x3f818000u), bits_float(0x7f800001u), 5.0f});
  std::vector<uint16_t> expected = halves(values, float_to_bf16);
  for (const auto& entry : gemm_table_bf16()) {
    if (!runs_here(entry)) continue;
    std::vector<uint16_t> out(values.size());
    const auto n = static_cast<int64_t>(values.size()) / 2;
    entry.function->to_bf16(values.data(), n, out.data(), n, 2, n);
    EXPECT_EQ(out, expected) << isa_name(entry.isa);
  }
}

// --- rounded activations ------------------------------------------------------------------------

// Products of rows `first` .. of x, packed on their own.
std::vector<float> rounded_product(const RoundedKernels& kernels, bool f16,
                                   const std::vector<float>& x, const std::vector<uint16_t>& w,
                                   int64_t first, int64_t rows, int64_t k) {
  const auto n = static_cast<int64_t>(w.size()) / k;
  const int64_t padded = (k + kPairStep - 1) / kPairStep * kPairStep;
  const int64_t panels = (rows + kernels.step - 1) / kernels.step;
  std::vector<uint16_t> packed(static_cast<size_t>(panels * kernels.step * padded), 0x7fc0);
  for (int64_t row = 0; row < rows; row += kernels.step) {
    kernels.pack(x.data() + (first + row) * k, k, std::min(kernels.step, rows - row),
                 packed.data() + row * padded);
  }
  std::vector<float> y(static_cast<size_t>(rows * n) + 1, -7.0f);
  const auto multiply = f16 ? kernels.multiply_f16 : kernels.multiply;
  multiply(packed.data(), w.data(), k, rows, n, y.data(), n);
  EXPECT_EQ(y.back(), -7.0f);
  y.pop_back();
  return y;
}

void test_rounded_products(bool f16) {
  std::vector<KernelEntry<const RoundedKernels*>> entries;
  for (const auto& entry : rounded_table()) {
    const bool found =
        entry.function != nullptr && (!f16 || entry.function->multiply_f16 != nullptr);
    if (found && runs_here(entry)) entries.push_back(entry);
  }
  if (entries.empty()) {
    GTEST_SKIP() << "missing on this processor: " << (f16 ? "AMX" : "products of bf16");
  }
  for (const auto& entry : entries) {
    for (const Size& s : {Size{1, 1, 1}, Size{3, 17, 5}, Size{7, 33, 40}, Size{33, 65, 96},
                          Size{70, 31, 129}, Size{40, 64, 1056}}) {
      SCOPED_TRACE(std::string(isa_name(entry.isa)) + " " + std::to_string(s.m) + " rows of " +
                   std::to_string(s.k));
      const auto x = floats(s.m * s.k, 1);
      const auto w = halves(floats(s.n * s.k, 2), f16 ? float_to_f16 : float_to_bf16);
      const auto y = rounded_product(*entry.function, f16, x, w, 0, s.m, s.k);
      for (int64_t m = 0; m < s.m; ++m) {
        const auto begin = y.begin() + m * s.n;
        EXPECT_EQ(rounded_product(*entry.function, f16, x, w, m, 1, s.k),
                  std::vector<float>(begin, begin + s.n));
        for (int64_t n = 0; n < s.n; ++n) {
          double sum = 0, size = 0;
          for (int64_t i = 0; i < s.k; ++i) {
            const uint16_t weight = w[static_cast<size_t>(n * s.k + i)];
            const double rounded =
                bf16_to_float(float_to_bf16(x[static_cast<size_t>(m * s.k + i)]));
            const double product =
                rounded * double{f16 ? f16_to_float(weight) : bf16_to_float(weight)};
            sum += product;
            size += std::abs(product);
          }
          ASSERT_NEAR(begin[n], sum, 1e-6 * size + 1e-30);
        }
      }
    }
  }
}

TEST(Rounded, ProductsAreThoseOfRoundedRowsAndDoNotDependOnOtherRows) {
  test_rounded_products(false);
}
TEST(Rounded, WeightsInF16LoseNothing) {
  test_rounded_products(true);
}
TEST(Rounded, InfiniteWeightsInF16StayInfinite) {
  bool ran = false;
  for (const auto& entry : rounded_table()) {
    if (entry.function == nullptr || entry.function->multiply_f16 == nullptr) continue;
    if (!runs_here(entry)) continue;
    const std::vector<float> x(64, 1.0f);
    auto w = halves(std::vector<float>(64, 2.0f), float_to_f16);
    w[40] = 0xfc00;
    EXPECT_EQ(rounded_product(*entry.function, true, x, w, 0, 1, 64).front(), -INFINITY);
    ran = true;
  }
  if (!ran) GTEST_SKIP() << "missing on this processor: AMX";
}

// --- the bindings
// ---------------------------------------------------------------------------------

void run_step(std::string_view op, const Attributes& attributes,
              const std::vector<TensorView>& inputs, const std::vector<TensorView>& outputs,
              int threads = 2) {
  for (const OpBinding& binding : matmul_bindings()) {
    if (binding.op != op) continue;
    const auto kernel = binding.bind(BindRequest{attributes, inputs, outputs, threads});
    if (!kernel) FAIL() << op << " has no kernel for this";
    std::vector<char> scratch(static_cast<size_t>(kernel->scratch_bytes));
    ThreadPool pool(threads);
    kernel->run(StepContext{inputs, outputs, attributes, scratch.data(), pool});
    return;
  }
  FAIL() << "no binding for " << op;
}

template <typename T>
TensorView view(DType dtype, const Shape& shape, const std::vector<T>& data) {
  return {dtype, shape, const_cast<T*>(data.data())};
}

TEST(LinearGroup, GivesTheSameBitsAsSeparateProjections) {
  const int64_t rows = 51, k = 40;
  const auto x = floats(rows * k, 5), w = floats(170 * k, 6);
  const auto wb = halves(w, float_to_bf16), xb = halves(x, float_to_bf16);
  for (const bool bf16 : {false, true}) {
    const auto xs = bf16 ? view(DType::bf16, {3, 17, k}, xb) : view(DType::f32, {3, 17, k}, x);
    std::vector<float> separate[3], grouped[3];
    std::vector<TensorView> inputs{xs}, outputs;
    int64_t offset = 0;
    for (size_t i = 0; i < 3; ++i) {
      const int64_t n = i == 0 ? 100 : 35;
      const bool wide = !bf16 && i == 1;
      TensorView weight = wide ? view(DType::f32, {n, k}, w) : view(DType::bf16, {n, k}, wb);
      weight.data = weight.as<char>() + offset * k * (wide ? 4 : 2);
      offset += n;
      separate[i].resize(static_cast<size_t>(rows * n));
      grouped[i] = separate[i];
      inputs.push_back(weight);
      outputs.push_back(view(DType::f32, {3, 17, n}, grouped[i]));
      run_step("linear", {}, {xs, weight}, {view(DType::f32, {3, 17, n}, separate[i])});
    }
    run_step("linear_group", {}, inputs, outputs);
    for (size_t i = 0; i < 3; ++i) EXPECT_EQ(grouped[i], separate[i]);
  }
}

// Whatever the blocks and the threads.
TEST(Linear, OfWeightsInBf16GivesEachRowWhatItGivesAlone) {
  const int64_t rows = 131, k = 72, n = 150;
  const auto x = floats(rows * k, 5);
  const auto w = halves(floats(n * k, 6), float_to_bf16);
  const TensorView weights = view(DType::bf16, {n, k}, w);
  std::vector<float> together(static_cast<size_t>(rows * n)), alone(static_cast<size_t>(n));
  for (const int threads : {1, 3}) {
    run_step("linear", {}, {view(DType::f32, {rows, k}, x), weights},
             {view(DType::f32, {rows, n}, together)}, threads);
    for (int64_t m = 0; m < rows; ++m) {
      const TensorView row{DType::f32, {1, k}, const_cast<float*>(x.data()) + m * k};
      run_step("linear", {}, {row, weights}, {view(DType::f32, {1, n}, alone)}, 1);
      const auto begin = together.begin() + m * n;
      ASSERT_EQ(alone, std::vector<float>(begin, begin + n)) << "row " << m;
    }
  }
}

TEST(Matmul, ComputesEveryTransposition) {
  const int64_t m = 5, n = 7, k = 9;
  for (int form = 0; form < 4; ++form) {
    const Problem p(m, n, k, (form & 1) != 0, (form & 2) != 0, false, false);
    std::vector<float> c(static_cast<size_t>(m * n));
    const Attributes attributes{{"ta", int64_t{p.ta}}, {"tb", int64_t{p.tb}}};
    run_step("matmul", attributes,
             {view(DType::f32, p.ta ? Shape{k, m} : Shape{m, k}, p.a),
              view(DType::f32, p.tb ? Shape{n, k} : Shape{k, n}, p.b)},
             {view(DType::f32, {m, n}, c)});
    EXPECT_EQ(c, p.run(gemm_kernels_f32(), 1));
  }
}

TEST(BatchMatmul, SharesEachSecondMatrixAmongAGroup) {
  const int64_t batch = 6, group = 3, m = 5, n = 7, k = 9;
  const auto a = floats(batch * m * k, 7), b = floats(batch / group * n * k, 8);
  for (const int threads : {1, 2, 8}) {
    std::vector<float> c(static_cast<size_t>(batch * m * n));
    run_step("batch_matmul", {{"ta", int64_t{0}}, {"tb", int64_t{1}}},
             {view(DType::f32, {batch, m, k}, a), view(DType::f32, {batch / group, n, k}, b)},
             {view(DType::f32, {batch, m, n}, c)}, threads);
    for (int64_t i = 0; i < batch; ++i) {
      Problem p(m, n, k, false, true, false, false);
      p.a.assign(a.begin() + i * m * k, a.begin() + (i + 1) * m * k);
      p.b.assign(b.begin() + i / group * n * k, b.begin() + (i / group + 1) * n * k);
      EXPECT_EQ(std::vector<float>(c.begin() + i * m * n, c.begin() + (i + 1) * m * n),
                p.run(gemm_kernels_f32(), 1));
    }
  }
}

TEST(Linear, RefusesTypesThatOthersBind) {
  const TensorView x{DType::q8a, {2, 32}, nullptr}, w{DType::q4_0, {3, 32}, nullptr};
  const TensorView xb{DType::bf16, {2, 32}, nullptr}, wf{DType::f32, {3, 32}, nullptr};
  const TensorView y{DType::f32, {2, 3}, nullptr};
  for (const OpBinding& binding : matmul_bindings()) {
    if (binding.op != "linear" && binding.op != "linear_group") continue;
    const TensorView quantised[] = {x, w}, mixed[] = {xb, wf}, out[] = {y};
    EXPECT_FALSE(binding.bind({{}, quantised, out, 1}).has_value());
    EXPECT_FALSE(binding.bind({{}, mixed, out, 1}).has_value());
  }
}

}  // namespace
}  // namespace bantam::cpu
