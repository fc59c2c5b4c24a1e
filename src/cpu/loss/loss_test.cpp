#include <fmt/format.h>

#include "cpu/elementwise/test_kit.h"
#include "cpu/loss/table.h"

namespace bantam::cpu {
namespace {

using namespace test;

constexpr DType kTypes[] = {DType::f32, DType::bf16};
constexpr LossKind kKinds[] = {LossKind::forward_kl, LossKind::reverse_kl,
                               LossKind::jensen_shannon};

Elements logits_sample(DType dtype, int64_t n, uint64_t seed) {
  Elements e = Elements::sample(dtype, n, seed);
  for (int64_t i = 0; i < n; ++i) e.set(i, 4 * e.get(i));
  return e;
}

// --- the formulas in double -------------------------------------------------------------------

std::vector<double> softmax(const Elements& x, double temperature) {
  double top = -INFINITY, total = 0;
  for (int64_t i = 0; i < x.size(); ++i) top = std::max(top, static_cast<double>(x.get(i)));
  std::vector<double> p;
  for (int64_t i = 0; i < x.size(); ++i) p.push_back(std::exp((x.get(i) - top) / temperature));
  for (const double e : p) total += e;
  for (double& e : p) e /= total;
  return p;
}

double kl(const std::vector<double>& a, const std::vector<double>& b) {
  double total = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] > 0) total += a[i] * std::log(a[i] / b[i]);
  }
  return total;
}

double divergence(const Elements& student, const Elements& teacher, double temperature,
                  LossKind kind) {
  const std::vector<double> q = softmax(student, temperature), p = softmax(teacher, temperature);
  std::vector<double> m(p.size());
  for (size_t i = 0; i < p.size(); ++i) m[i] = (p[i] + q[i]) / 2;
  double d = (kl(p, m) + kl(q, m)) / 2;
  if (kind == LossKind::forward_kl) d = kl(p, q);
  if (kind == LossKind::reverse_kl) d = kl(q, p);
  return temperature * temperature * d;
}

TEST(CrossEntropy, FollowsTheFormula) {
  for (const int64_t V : {1, 2, 15, 16, 17, 300}) {
    const Elements x = logits_sample(DType::f32, V, 1);
    const auto target = static_cast<int32_t>(V / 2);
    float loss = 0, lse = 0;
    loss_kernels().cross_entropy[0](x.data(), V, target, &loss, &lse);
    const std::vector<double> p = softmax(x, 1);
    EXPECT_NEAR(loss, -std::log(p[static_cast<size_t>(target)]), 2e-6);
    Elements d(DType::f32, V);
    loss_kernels().cross_entropy_grad[0](x.data(), V, target, lse, 0.5f, d.data());
    for (int64_t i = 0; i < V; ++i) {
      EXPECT_NEAR(d.get(i), 0.5 * (p[static_cast<size_t>(i)] - (i == target)), 1e-6);
    }
  }
}

TEST(CrossEntropy, StaysFiniteForHugeAndMaskedLogits) {
  Elements x(DType::f32, 20);
  for (int64_t i = 0; i < 20; ++i) x.set(i, i % 2 ? -INFINITY : 1e30f);
  float loss = 0, lse = 0;
  loss_kernels().cross_entropy[0](x.data(), 20, 4, &loss, &lse);
  EXPECT_NEAR(loss, std::log(10.0), 1e-5);
}

TEST(Divergence, FollowsTheFormula) {
  for (const LossKind kind : kKinds) {
    for (const float temperature : {0.5f, 1.0f, 3.0f}) {
      const Elements s = logits_sample(DType::f32, 133, 1), t = logits_sample(DType::f32, 133, 2);
      const double expected = divergence(s, t, static_cast<double>(temperature), kind);
      EXPECT_NEAR(loss_kernels().divergence[0][0](s.data(), t.data(), 133, temperature, kind),
                  expected, 3e-6 * (1 + expected));
    }
  }
}

TEST(Divergence, OfEqualLogitsIsZeroAndHasNoGradient) {
  const Elements s = logits_sample(DType::f32, 100, 1);
  for (const LossKind kind : kKinds) {
    EXPECT_NEAR(loss_kernels().divergence[0][0](s.data(), s.data(), 100, 2, kind), 0, 1e-6);
    Elements d(DType::f32, 100);
    loss_kernels().divergence_grad[0][0](s.data(), s.data(), 100, 2, kind, 1, d.data());
    for (int64_t i = 0; i < 100; ++i) EXPECT_NEAR(d.get(i), 0, 1e-7);
  }
}

TEST(Divergence, IsFiniteWhereLogitsAreMasked) {
  Elements s = logits_sample(DType::f32, 40, 1), t = logits_sample(DType::f32, 40, 2);
  for (int64_t i = 0; i < 40; i += 3) t.set(i, -INFINITY);
  for (int64_t i = 0; i < 40; i += 4) s.set(i, -INFINITY);
  for (const LossKind kind : kKinds) {
    EXPECT_TRUE(std::isfinite(loss_kernels().divergence[0][0](s.data(), t.data(), 40, 1, kind)));
    Elements d(DType::f32, 40);
    loss_kernels().divergence_grad[0][0](s.data(), t.data(), 40, 1, kind, 1, d.data());
    for (int64_t i = 0; i < 40; ++i) EXPECT_TRUE(std::isfinite(d.get(i)));
  }
}

// --- every instruction set against scalar -----------------------------------------------------

class LossKernelsOf : public testing::TestWithParam<KernelEntry<const LossKernels*>> {
 protected:
  void SetUp() override { BANTAM_SKIP_UNLESS_AVAILABLE(GetParam().isa); }
  const LossKernels& kernels() const { return *GetParam().function; }
  const LossKernels& reference() const { return scalar::kLossKernels; }
  void compare(int64_t V, bool specials) const;
  void compare_divergence(const Elements& s, const Elements& t, size_t a, size_t b) const;
};

void expect_equal(float expected, float got, const std::string& what) {
  if (std::isnan(expected) && std::isnan(got)) return;
  EXPECT_EQ(float_bits(expected), float_bits(got)) << what << ": " << expected << ", " << got;
}

void LossKernelsOf::compare(int64_t V, bool specials) const {
  for (size_t a = 0; a < 2; ++a) {
    Elements x = logits_sample(kTypes[a], V, 1);
    if (specials) add_specials(x);
    const std::string what = fmt::format("V = {}, type {}", V, a);
    const auto target = static_cast<int32_t>(V - 1);
    float loss = 0, lse = 0, expected_loss = 0, expected_lse = 0;
    kernels().cross_entropy[a](x.data(), V, target, &loss, &lse);
    reference().cross_entropy[a](x.data(), V, target, &expected_loss, &expected_lse);
    expect_equal(expected_loss, loss, what + " loss");
    expect_equal(expected_lse, lse, what + " lse");
    Elements d(kTypes[a], V), expected = d;
    kernels().cross_entropy_grad[a](x.data(), V, target, 3.0f, 0.7f, d.data());
    reference().cross_entropy_grad[a](x.data(), V, target, 3.0f, 0.7f, expected.data());
    expect_same(expected, d, what);
    for (size_t b = 0; b < 2; ++b) compare_divergence(x, logits_sample(kTypes[b], V, 2), a, b);
  }
}

void LossKernelsOf::compare_divergence(const Elements& s, const Elements& t, size_t a,
                                       size_t b) const {
  const int64_t V = s.size();
  for (const LossKind kind : kKinds) {
    const std::string what = fmt::format("V = {}, types {} {}, kind {}", V, a, b, (int)kind);
    expect_equal(reference().divergence[a][b](s.data(), t.data(), V, 1.5f, kind),
                 kernels().divergence[a][b](s.data(), t.data(), V, 1.5f, kind), what);
    Elements d(kTypes[a], V), expected = d;
    kernels().divergence_grad[a][b](s.data(), t.data(), V, 1.5f, kind, 0.7f, d.data());
    reference().divergence_grad[a][b](s.data(), t.data(), V, 1.5f, kind, 0.7f, expected.data());
    expect_same(expected, d, what);
  }
}

TEST_P(LossKernelsOf, GivesTheBitsOfScalarForOddWidths) {
  for (int64_t V = 1; V <= 50; ++V) compare(V, false);
  compare(1003, false);
}

TEST_P(LossKernelsOf, GivesTheBitsOfScalarForNanAndInfinity) {
  for (const int64_t V : {1, 5, 16, 33, 50}) compare(V, true);
}

INSTANTIATE_TEST_SUITE_P(EveryIsa, LossKernelsOf,
                         testing::ValuesIn(loss_table().begin(), loss_table().end()),
                         [](const auto& row) { return std::string(isa_name(row.param.isa)); });

// --- the bound ops -----------------------------------------------------------------------------

Tensor targets_of(const std::vector<int32_t>& ids) {
  Tensor t = Tensor::zeros(DType::i32, {static_cast<int64_t>(ids.size())});
  std::copy(ids.begin(), ids.end(), t.as<int32_t>());
  return t;
}

struct Losses {
  Tensor loss, lse;
};

Losses cross_entropy(const Tensor& logits, const Tensor& targets, int threads = 1) {
  Losses out{Tensor::zeros(DType::f32, targets.shape()),
             Tensor::zeros(DType::f32, targets.shape())};
  run_op(loss_bindings(), "cross_entropy", {}, {logits, targets}, {out.loss, out.lse}, threads);
  return out;
}

Tensor cross_entropy_grad(const Tensor& logits, const Tensor& targets, const Tensor& dloss,
                          int threads = 1) {
  const Losses forward = cross_entropy(logits, targets);
  Tensor d = Tensor::zeros(logits.dtype(), logits.shape());
  run_op(loss_bindings(), "cross_entropy_grad", {}, {logits, targets, forward.lse, dloss}, {d},
         threads);
  return d;
}

Attributes settings(LossKind kind) {
  return {{"temperature", 2.0}, {"kind", static_cast<int64_t>(kind)}};
}

Tensor divergence_op(const Tensor& s, const Tensor& t, const Tensor& targets, LossKind kind,
                     int threads = 1) {
  Tensor loss = Tensor::zeros(DType::f32, targets.shape());
  run_op(loss_bindings(), "divergence", settings(kind), {s, t, targets}, {loss}, threads);
  return loss;
}

Tensor divergence_grad_op(const Tensor& s, const Tensor& t, const Tensor& targets,
                          const Tensor& dloss, LossKind kind, int threads = 1) {
  Tensor d = Tensor::zeros(s.dtype(), s.shape());
  run_op(loss_bindings(), "divergence_grad", settings(kind), {s, t, targets, dloss}, {d}, threads);
  return d;
}

TEST(CrossEntropyGrad, AgreesWithFiniteDifferences) {
  const Tensor x = sample_tensor(DType::f32, {4, 19}, 1);
  const Tensor targets = targets_of({3, -1, 18, 0}), dloss = sample_tensor(DType::f32, {4}, 2);
  const Tensor dx = cross_entropy_grad(x, targets, dloss);
  expect_gradient(x, dx, dloss, [&] { return cross_entropy(x, targets).loss; });
}

TEST(DivergenceGrad, AgreesWithFiniteDifferences) {
  const Tensor s = sample_tensor(DType::f32, {3, 19}, 1), t = sample_tensor(DType::f32, {3, 19}, 2);
  const Tensor targets = targets_of({3, -1, 18}), dloss = sample_tensor(DType::f32, {3}, 3);
  for (const LossKind kind : kKinds) {
    const Tensor ds = divergence_grad_op(s, t, targets, dloss, kind);
    expect_gradient(s, ds, dloss, [&] { return divergence_op(s, t, targets, kind); });
  }
}

TEST(Losses, OfIgnoredRowsAreZero) {
  const Tensor x = sample_tensor(DType::bf16, {2, 19}, 1), targets = targets_of({-1, 5});
  const Tensor dloss = sample_tensor(DType::f32, {2}, 2);
  const Losses l = cross_entropy(x, targets);
  EXPECT_EQ(l.loss.as<float>()[0], 0);
  EXPECT_EQ(l.lse.as<float>()[0], 0);
  const Tensor d = cross_entropy_grad(x, targets, dloss);
  const Tensor e = divergence_grad_op(x, x, targets, dloss, LossKind::reverse_kl);
  for (int i = 0; i < 19; ++i) {
    EXPECT_EQ(d.as<uint16_t>()[i], 0);
    EXPECT_EQ(e.as<uint16_t>()[i], 0);
  }
  EXPECT_EQ(divergence_op(x, x, targets, LossKind::forward_kl).as<float>()[0], 0);
}

TEST(Losses, MayBeDifferentiatedInPlace) {
  for (const DType dtype : kTypes) {
    const Tensor x = sample_tensor(dtype, {3, 37}, 1), t = sample_tensor(DType::f32, {3, 37}, 2);
    const Tensor targets = targets_of({0, 36, 20}), dloss = sample_tensor(DType::f32, {3}, 3);
    const Tensor apart = cross_entropy_grad(x, targets, dloss), over = x.clone();
    run_op(loss_bindings(), "cross_entropy_grad", {},
           {over, targets, cross_entropy(x, targets).lse, dloss}, {over});
    expect_same(apart, over);
    for (const LossKind kind : kKinds) {
      const Tensor written = x.clone();
      run_op(loss_bindings(), "divergence_grad", settings(kind), {written, t, targets, dloss},
             {written});
      expect_same(divergence_grad_op(x, t, targets, dloss, kind), written);
    }
  }
}

TEST(Losses, DoNotDependOnTheNumberOfThreads) {
  const Tensor x = sample_tensor(DType::bf16, {60, 1111}, 1);
  const Tensor t = sample_tensor(DType::f32, {60, 1111}, 2);
  const Tensor targets = targets_of(std::vector<int32_t>(60, 7));
  const Tensor dloss = sample_tensor(DType::f32, {60}, 3);
  expect_same(cross_entropy(x, targets, 1).loss, cross_entropy(x, targets, 3).loss);
  expect_same(cross_entropy_grad(x, targets, dloss, 1), cross_entropy_grad(x, targets, dloss, 3));
  const LossKind kind = LossKind::jensen_shannon;
  expect_same(divergence_op(x, t, targets, kind, 1), divergence_op(x, t, targets, kind, 3));
  expect_same(divergence_grad_op(x, t, targets, dloss, kind, 1),
              divergence_grad_op(x, t, targets, dloss, kind, 3));
}

}  // namespace
}  // namespace bantam::cpu
