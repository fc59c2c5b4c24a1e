#include "cpu/elementwise/test_kit.h"
#include "cpu/optimiser/table.h"

namespace bantam::cpu {
namespace {

using namespace test;

constexpr AdamwSettings kSettings{.lr = 0.01f,
                                  .beta1 = 0.9f,
                                  .beta2 = 0.99f,
                                  .eps = 1e-8f,
                                  .correction1 = 0.1f,
                                  .correction2 = 0.01f,
                                  .factor = 0.5f,
                                  .weight_decay = 0.1f};

struct State {
  Elements p, m, v, g;
  explicit State(int64_t n)
      : p(Elements::sample(DType::f32, n, 1)),
        m(Elements::sample(DType::f32, n, 2)),
        v(Elements::sample(DType::f32, n, 3)),
        g(Elements::sample(DType::f32, n, 4)) {
    for (int64_t i = 0; i < n; ++i) v.set(i, std::abs(v.get(i)));
  }
  void step(AdamwFn adamw) { adamw(kSettings, p.f32(), m.f32(), v.f32(), g.f32(), p.size()); }
};

TEST(Adamw, FollowsTheFormula) {
  const State before(37);
  State after = before;
  after.step(adamw_kernel());
  for (int64_t i = 0; i < 37; ++i) {
    const double g = 0.5 * before.g.get(i), p = before.p.get(i);
    const double m = 0.9 * before.m.get(i) + 0.1 * g, v = 0.99 * before.v.get(i) + 0.01 * g * g;
    EXPECT_NEAR(after.m.get(i), m, 1e-6);
    EXPECT_NEAR(after.v.get(i), v, 1e-6);
    EXPECT_NEAR(after.p.get(i), p - 0.01 * (m / 0.1 / (std::sqrt(v / 0.01) + 1e-8) + 0.1 * p),
                1e-6);
  }
}

TEST(Adamw, TakesAFirstStepOfTheLearningRate) {
  State state(20);
  for (int64_t i = 0; i < 20; ++i) {
    state.m.set(i, 0);
    state.v.set(i, 0);
    state.p.set(i, 0);
  }
  state.step(adamw_kernel());
  for (int64_t i = 0; i < 20; ++i) {
    EXPECT_NEAR(state.p.get(i), state.g.get(i) > 0 ? -0.01 : 0.01, 1e-6);
  }
}

class AdamwOf : public testing::TestWithParam<KernelEntry<AdamwFn>> {
 protected:
  void SetUp() override { BANTAM_SKIP_UNLESS_AVAILABLE(GetParam().isa); }
  static void compare(State state) {
    State expected = state;
    state.step(GetParam().function);
    expected.step(scalar::adamw);
    expect_same(expected.p, state.p, "p");
    expect_same(expected.m, state.m, "m");
    expect_same(expected.v, state.v, "v");
  }
};

TEST_P(AdamwOf, GivesTheBitsOfScalarForOddSizes) {
  for (int64_t n = 1; n <= 67; ++n) compare(State(n));
}

TEST_P(AdamwOf, GivesTheBitsOfScalarForNanAndInfinity) {
  State state(50);
  add_specials(state.g);
  compare(state);
}

INSTANTIATE_TEST_SUITE_P(EveryIsa, AdamwOf,
                         testing::ValuesIn(adamw_table().begin(), adamw_table().end()),
                         [](const auto& row) { return std::string(isa_name(row.param.isa)); });

TEST(Adamw, DoesNotDependOnTheNumberOfThreads) {
  Tensor results[2];
  for (const int threads : {1, 3}) {
    const Shape shape{70, 1001};
    const Tensor p = sample_tensor(DType::f32, shape, 1), g = sample_tensor(DType::f32, shape, 2);
    const Tensor m = Tensor::zeros(DType::f32, shape), v = Tensor::zeros(DType::f32, shape);
    const Tensor hyper =
        Tensor::from(std::vector<float>{0.01f, 0.9f, 0.99f, 1e-8f, 0.1f, 0.01f, 1, 0}, {8});
    run_op(optimiser_bindings(), "adamw", {{"weight_decay", 0.1}}, {p, m, v, g, hyper}, {p},
           threads);
    results[threads > 1] = p;
  }
  expect_same(results[0], results[1]);
}

}  // namespace
}  // namespace bantam::cpu
