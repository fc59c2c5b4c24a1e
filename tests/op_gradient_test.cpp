#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/random.h"
#include "base/thread_pool.h"
#include "cpu/backend.h"
#include "graph/gradient.h"
#include "graph/op.h"
#include "graph/ops.h"
#include "graph/passes.h"
#include "graph/plan.h"

// Every differentiable op: its gradient against central finite differences, in f32 on small shapes.

namespace bantam {
namespace {

using Build = std::function<Value(Graph&, const std::vector<Value>&)>;

struct Case {
  std::string name;
  std::vector<Shape> parameters;
  Build build;  // any value; it is reduced by a fixed random projection
  double low = -1, high = 1;
};

const std::vector<int32_t> kIds = {3, 1, 4, 1, 0, 2};
const std::vector<int32_t> kTargets = {2, 0, -1, 4, 1, 3};
const std::vector<int32_t> kSequences = {0, 0, 0, 1, 1, 1};
const std::vector<int32_t> kPositions = {0, 1, 2, 0, 1, 2};
const std::vector<int32_t> kSeed = {7};

Value index(Graph& g, const char* name) {
  return g.input(name, {DType::i32, {6}});
}

class Runner {
 public:
  Runner(const Graph& g, ThreadPool& pool)
      : executor_(std::make_shared<Plan>(g, cpu_backend(), std::vector<int64_t>{}, pool.size()),
                  pool) {
    const std::pair<const char*, const std::vector<int32_t>*> indices[] = {
        {"ids", &kIds},
        {"targets", &kTargets},
        {"sequences", &kSequences},
        {"positions", &kPositions},
        {"seed", &kSeed}};
    for (const auto& [name, values] : indices) {
      if (!executor_.has_leaf(name)) continue;
      const Shape shape{static_cast<int64_t>(values->size())};
      executor_.bind(name, {DType::i32, shape, const_cast<int32_t*>(values->data())});
    }
  }
  Executor& executor() { return executor_; }
  double loss() {
    executor_.run();
    return *executor_.output("loss").as<float>();
  }

 private:
  Executor executor_;
};

// loss = sum(y r) with r fixed and uneven, so that no gradient is 0 by symmetry.
Value project(Graph& g, Value y) {
  const Value r = g.weight("projection", {DType::f32, g.shape(y)});
  return ops::sum(g, ops::mul(g, y, r));
}

Tensor random_tensor(const Shape& shape, double low, double high, uint64_t stream) {
  Random random(11, stream);
  Tensor t = Tensor::zeros(DType::f32, shape);
  for (int64_t i = 0; i < shape.elements(); ++i) {
    t.as<float>()[i] = static_cast<float>(low + (high - low) * random.uniform());
  }
  return t;
}

void check(const Case& c, bool through_fallback) {
  SCOPED_TRACE(fmt::format("{}{}", c.name, through_fallback ? " (fallback)" : ""));
  Graph g;
  std::vector<Value> parameters;
  std::vector<Tensor> values;
  for (size_t i = 0; i < c.parameters.size(); ++i) {
    parameters.push_back(g.weight(fmt::format("p{}", i), {DType::f32, c.parameters[i]}));
    values.push_back(random_tensor(c.parameters[i], c.low, c.high, i + 1));
  }
  const Value y = c.build(g, parameters);
  const Tensor projection = random_tensor(g.shape(y).bind({}), 0.2, 1, 99);
  const Value loss = project(g, y);
  g.output("loss", loss);
  if (through_fallback) {
    g = expand_fallbacks(g, [](const Op&) { return true; });
    for (size_t i = 0; i < parameters.size(); ++i)
      parameters[i] = g.find_leaf(fmt::format("p{}", i));
  }
  const auto gradients = gradient(g, g.find_output("loss"), parameters);
  for (size_t i = 0; i < gradients.size(); ++i) {
    ASSERT_TRUE(gradients[i].defined());
    g.output(fmt::format("d{}", i), gradients[i]);
  }
  ThreadPool pool(2);
  Runner runner(optimize(g, true), pool);
  for (size_t i = 0; i < values.size(); ++i) {
    runner.executor().bind(fmt::format("p{}", i), values[i].view());
  }
  runner.executor().bind("projection", projection.view());
  const Tensor teacher = random_tensor({6, 5}, -2, 2, 77);
  if (runner.executor().has_leaf("teacher")) runner.executor().bind("teacher", teacher.view());

  runner.loss();
  std::vector<std::vector<float>> analytic;
  for (size_t i = 0; i < values.size(); ++i) {
    const TensorView d = runner.executor().output(fmt::format("d{}", i));
    ASSERT_EQ(d.shape.elements(), values[i].shape().elements());
    analytic.emplace_back(d.as<float>(), d.as<float>() + d.shape.elements());
  }
  constexpr double kStep = 1e-2;
  for (size_t i = 0; i < values.size(); ++i) {
    for (int64_t k = 0; k < values[i].shape().elements(); ++k) {
      float& x = values[i].as<float>()[k];
      const float original = x;
      // Fourth-order central difference: the step can be large enough for f32.
      const auto at = [&](double offset) {
        x = static_cast<float>(original + offset);
        return runner.loss();
      };
      const double slope =
          (8 * (at(kStep) - at(-kStep)) - (at(2 * kStep) - at(-2 * kStep))) / (12 * kStep);
      x = original;
      const double got = analytic[i][static_cast<size_t>(k)];
      EXPECT_NEAR(got, slope, 2e-3 + 4e-3 * std::abs(slope))
          << "parameter " << i << " [" << k << "]";
    }
  }
}

template <ops::Divergence kind>
Value divergence_case(Graph& g, const std::vector<Value>& p) {
  const Value teacher = g.weight("teacher", {DType::f32, g.shape(p[0])});
  return ops::divergence(g, p[0], teacher, index(g, "targets"), 2, kind);
}

// Six rows, two for each of three tokens, go to five experts as the ids say.
ops::ExpertGroups expert_groups(Graph& g) {
  return ops::group_by_expert(g, ops::reshape(g, index(g, "ids"), {3, 2}), 5);
}

Value scan_case(Graph& g, const std::vector<Value>& p) {
  return ops::selective_scan(g, {p[0], p[1], p[2], p[3], p[4]}, index(g, "positions"));
}

std::vector<Case> cases() {
  using P = const std::vector<Value>&;
  return {
      {"add", {{3, 4}, {4}}, [](Graph& g, P p) { return ops::add(g, p[0], p[1]); }},
      {"add one", {{3, 4}, {1}}, [](Graph& g, P p) { return ops::add(g, p[0], p[1]); }},
      {"sub", {{3, 4}, {3, 4}}, [](Graph& g, P p) { return ops::sub(g, p[0], p[1]); }},
      {"mul", {{2, 3, 4}, {3, 4}}, [](Graph& g, P p) { return ops::mul(g, p[0], p[1]); }},
      {"scale", {{5}}, [](Graph& g, P p) { return ops::scale(g, p[0], -2.5); }},
      {"shift", {{5}}, [](Graph& g, P p) { return ops::shift(g, p[0], 3); }},
      {"exp", {{5}}, [](Graph& g, P p) { return ops::exp(g, p[0]); }},
      {"log", {{5}}, [](Graph& g, P p) { return ops::log(g, p[0]); }, 0.5, 2},
      {"rsqrt", {{5}}, [](Graph& g, P p) { return ops::rsqrt(g, p[0]); }, 0.5, 2},
      {"reciprocal", {{5}}, [](Graph& g, P p) { return ops::reciprocal(g, p[0]); }, 0.5, 2},
      {"silu", {{7}}, [](Graph& g, P p) { return ops::silu(g, p[0]); }, -3, 3},
      {"sigmoid", {{7}}, [](Graph& g, P p) { return ops::sigmoid(g, p[0]); }, -3, 3},
      {"tanh", {{7}}, [](Graph& g, P p) { return ops::tanh(g, p[0]); }, -2, 2},
      {"erf", {{7}}, [](Graph& g, P p) { return ops::erf(g, p[0]); }, -2, 2},
      {"relu", {{7}}, [](Graph& g, P p) { return ops::relu(g, p[0]); }, 0.1, 2},
      {"relu of negatives", {{7}}, [](Graph& g, P p) { return ops::relu(g, p[0]); }, -2, -0.1},
      {"gelu", {{7}}, [](Graph& g, P p) { return ops::gelu(g, p[0]); }, -2, 2},
      {"gelu_erf", {{7}}, [](Graph& g, P p) { return ops::gelu_erf(g, p[0]); }, -2, 2},
      {"softcap", {{7}}, [](Graph& g, P p) { return ops::softcap(g, p[0], 1.5); }, -2, 2},
      {"dropout",
       {{40}},
       [](Graph& g, P p) {
         return ops::dropout(g, p[0], g.input("seed", {DType::i32, {1}}), 0.3, 5);
       }},
      {"reshape",
       {{3, 4}},
       [](Graph& g, P p) {
         return ops::reshape(g, p[0], {2, 6});
       }},
      {"transpose", {{2, 3, 4}}, [](Graph& g, P p) { return ops::transpose(g, p[0], 0, 2); }},
      {"row_sum", {{3, 5}}, [](Graph& g, P p) { return ops::row_sum(g, p[0]); }},
      {"column_sum", {{3, 2, 5}}, [](Graph& g, P p) { return ops::column_sum(g, p[0], 2); }},
      {"sum", {{3, 5}}, [](Graph& g, P p) { return ops::sum(g, p[0]); }},
      {"sum_squares", {{3, 5}}, [](Graph& g, P p) { return ops::sum_squares(g, p[0]); }},
      {"mul_rows", {{3, 5}, {3, 1}}, [](Graph& g, P p) { return ops::mul_rows(g, p[0], p[1]); }},
      {"add_rows", {{3, 5}, {3, 1}}, [](Graph& g, P p) { return ops::add_rows(g, p[0], p[1]); }},
      {"broadcast_rows", {{3, 1}}, [](Graph& g, P p) { return ops::broadcast_rows(g, p[0], 4); }},
      {"linear", {{3, 8}, {5, 8}}, [](Graph& g, P p) { return ops::linear(g, p[0], p[1]); }},
      {"linear_group",
       {{3, 8}, {5, 8}, {2, 8}},
       [](Graph& g, P p) {
         const Value weights[] = {p[1], p[2]};
         const auto y = ops::linear_group(g, p[0], weights);
         return ops::add(g, ops::column_sum(g, y[0]), ops::sum(g, y[1]));
       }},
      {"matmul",
       {{3, 4}, {4, 5}},
       [](Graph& g, P p) { return ops::matmul(g, p[0], p[1], false, false); }},
      {"matmul a'",
       {{4, 3}, {4, 5}},
       [](Graph& g, P p) { return ops::matmul(g, p[0], p[1], true, false); }},
      {"matmul b'",
       {{3, 4}, {5, 4}},
       [](Graph& g, P p) { return ops::matmul(g, p[0], p[1], false, true); }},
      {"matmul a' b'",
       {{4, 3}, {5, 4}},
       [](Graph& g, P p) { return ops::matmul(g, p[0], p[1], true, true); }},
      {"batch_matmul",
       {{4, 3, 2}, {2, 2, 5}},
       [](Graph& g, P p) { return ops::batch_matmul(g, p[0], p[1], false, false); }},
      {"batch_matmul a'",
       {{4, 2, 3}, {2, 2, 5}},
       [](Graph& g, P p) { return ops::batch_matmul(g, p[0], p[1], true, false); }},
      {"batch_matmul b'",
       {{4, 3, 2}, {4, 5, 2}},
       [](Graph& g, P p) { return ops::batch_matmul(g, p[0], p[1], false, true); }},
      {"rms_norm", {{3, 6}, {6}}, [](Graph& g, P p) { return ops::rms_norm(g, p[0], p[1], 1e-5); }},
      {"add_rms_norm",
       {{3, 6}, {3, 6}, {6}},
       [](Graph& g, P p) {
         const auto y = ops::add_rms_norm(g, p[0], p[1], p[2], 1e-5);
         return ops::mul(g, y[0], y[1]);
       }},
      {"layer_norm",
       {{3, 6}, {6}, {6}},
       [](Graph& g, P p) { return ops::layer_norm(g, p[0], p[1], p[2], 1e-5); }},
      {"softmax", {{3, 6}}, [](Graph& g, P p) { return ops::softmax(g, p[0]); }, -2, 2},
      {"swiglu", {{3, 5}, {3, 5}}, [](Graph& g, P p) { return ops::swiglu(g, p[0], p[1]); }, -2, 2},
      {"rope pairs",
       {{6, 2, 8}},
       [](Graph& g, P p) {
         return ops::rope(g, p[0], index(g, "positions"), {.theta = 100, .dims = 8});
       }},
      {"rope, YaRN",
       {{6, 2, 8}},
       [](Graph& g, P p) {
         return ops::rope(
             g, p[0], index(g, "positions"),
             {.theta = 100, .dims = 8, .scale = 0.25, .magnitude = 1.3, .context = 64});
       }},
      {"rope halves, partly",
       {{6, 2, 8}},
       [](Graph& g, P p) {
         return ops::rope(g, p[0], index(g, "positions"),
                          {.theta = 100, .pairs = ops::RopePairs::halves, .dims = 6});
       }},
      {"attention",
       {{6, 4, 3}, {2, 3, 2, 3}, {2, 3, 2, 3}},
       [](Graph& g, P p) {
         return ops::attention(g, p[0], p[1], p[2], index(g, "sequences"), index(g, "positions"),
                               {.scale = 0.6});
       }},
      {"attention, window, cap and sinks",
       {{6, 4, 3}, {2, 3, 2, 3}, {2, 3, 2, 5}, {4}},
       [](Graph& g, P p) {
         return ops::attention(g, p[0], p[1], p[2], index(g, "sequences"), index(g, "positions"),
                               {.scale = 0.9, .window = 2, .softcap = 0.7, .sinks = p[3]});
       }},
      {"attention, relative bias",
       {{6, 2, 3}, {2, 3, 2, 3}, {2, 3, 2, 3}, {4, 2}},
       [](Graph& g, P p) {
         const Value sequences = index(g, "sequences"), positions = index(g, "positions");
         const Value bias = ops::relative_bias(g, p[3], positions, {.cells = 3, .most = 8});
         return ops::attention(g, p[0], p[1], p[2], sequences, positions,
                               {.scale = 0.6, .bias = bias});
       }},
      {"relative_bias, both directions",
       {{6, 2}},
       [](Graph& g, P p) {
         return ops::relative_bias(g, p[0], index(g, "positions"),
                                   {.cells = 4, .most = 3, .bidirectional = true});
       }},
      {"attention, full",
       {{6, 2, 3}, {2, 4, 1, 3}, {2, 4, 1, 3}},
       [](Graph& g, P p) {
         return ops::attention(g, p[0], p[1], p[2], index(g, "sequences"), index(g, "positions"),
                               {.scale = 0.6, .causal = false});
       }},
      {"embedding",
       {{5, 3}},
       [](Graph& g, P p) { return ops::embedding(g, p[0], index(g, "ids")); }},
      {"cross_entropy",
       {{6, 5}},
       [](Graph& g, P p) { return ops::cross_entropy(g, p[0], index(g, "targets")); },
       -2,
       2},
      {"divergence, forward KL", {{6, 5}}, divergence_case<ops::Divergence::forward_kl>, -2, 2},
      {"divergence, reverse KL", {{6, 5}}, divergence_case<ops::Divergence::reverse_kl>, -2, 2},
      {"divergence, Jensen-Shannon",
       {{6, 5}},
       divergence_case<ops::Divergence::jensen_shannon>,
       -2,
       2},
      {"softplus", {{7}}, [](Graph& g, P p) { return ops::softplus(g, p[0]); }, -3, 3},
      {"hadamard", {{3, 8}}, [](Graph& g, P p) { return ops::hadamard(g, p[0], 4); }},
      {"clamp", {{6}}, [](Graph& g, P p) { return ops::clamp(g, p[0], -0.5, 0.4); }},
      {"slice_columns", {{3, 7}}, [](Graph& g, P p) { return ops::slice_columns(g, p[0], 2, 3); }},
      {"concat_columns",
       {{3, 4}, {3, 2}},
       [](Graph& g, P p) {
         const Value parts[] = {p[0], p[1], p[0]};
         return ops::concat_columns(g, parts);
       }},
      {"pick",
       {{6, 5}},
       [](Graph& g, P p) {
         return ops::pick(g, p[0], ops::reshape(g, index(g, "ids"), {6, 1}));
       }},
      {"expert_linear",
       {{6, 4}, {5, 3, 4}},
       [](Graph& g, P p) { return ops::expert_linear(g, p[0], p[1], expert_groups(g).offsets); }},
      {"expert_linear, as many rows each",
       {{2, 3, 4}, {2, 5, 4}},
       [](Graph& g, P p) { return ops::expert_linear(g, p[0], p[1], {}); }},
      {"combine_experts",
       {{6, 4}, {3, 2}},
       [](Graph& g, P p) { return ops::combine_experts(g, p[0], expert_groups(g).slots, p[1]); }},
      {"causal_conv",
       {{6, 3}, {3, 3}},
       [](Graph& g, P p) { return ops::causal_conv(g, p[0], p[1], index(g, "positions")); }},
      {"selective_scan, Mamba", {{6, 3, 1}, {6, 3}, {3, 4}, {6, 1, 4}, {6, 1, 4}}, scan_case},
      {"selective_scan, Mamba-2", {{6, 4, 2}, {6, 4}, {4, 1}, {6, 2, 3}, {6, 2, 3}}, scan_case},
  };
}

TEST(OpGradients, AgreeWithFiniteDifferences) {
  for (const Case& c : cases()) check(c, false);
}

TEST(OpGradients, OfFallbacksAgreeWithFiniteDifferences) {
  for (const Case& c : cases()) {
    if (c.name.ends_with("_norm") || c.name == "softmax" || c.name == "swiglu" ||
        c.name == "combine_experts" || c.name.starts_with("gelu") ||
        c.name.starts_with("attention")) {
      check(c, true);
    }
  }
}

}  // namespace
}  // namespace bantam
