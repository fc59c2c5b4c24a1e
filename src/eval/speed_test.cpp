#include <gtest/gtest.h>

#include "cpu/backend.h"
#include "eval/roofline.h"
#include "eval/speed.h"
#include "eval/step_cost.h"
#include "graph/ops.h"

namespace bantam {
namespace {

TEST(SampleQuantiles, AreTakenFromTheSortedSamples) {
  Samples s;
  EXPECT_EQ(s.median(), 0);
  for (const double v : {5.0, 1.0, 4.0, 2.0, 3.0}) s.add(v);
  EXPECT_EQ(s.quantile(0), 1);
  EXPECT_EQ(s.median(), 3);
  EXPECT_EQ(s.quantile(1), 5);
}

TEST(ReadBandwidth, IsPositive) {
  ThreadPool pool(1);
  EXPECT_GT(read_bandwidth(pool, 1 << 20), 1e6);
}

struct Total {
  const Graph* graph;
  StepCost linear, embedding;
};

TEST(StepCosts, CountWeightsOnceAndOnlyTheRowsThatAreTaken) {
  constexpr int64_t kRows = 3, kIn = 64, kOut = 16, kVocabulary = 100;
  Graph g;
  const Value ids = g.input("ids", {DType::i32, {kRows}});
  const Value table = g.weight("table.weight", {DType::f32, {kVocabulary, kIn}});
  const Value w = g.weight("w.weight", {DType::f32, {kOut, kIn}});
  g.output("y", ops::linear(g, ops::embedding(g, table, ids), w, DType::f32));
  ThreadPool pool(1);
  const auto plan = std::make_shared<Plan>(g, cpu_backend(), std::vector<int64_t>{}, 1);
  Executor executor(plan, pool);
  const Tensor i = Tensor::zeros(DType::i32, {kRows});
  const Tensor t = Tensor::zeros(DType::f32, {kVocabulary, kIn});
  const Tensor m = Tensor::zeros(DType::f32, {kOut, kIn});
  executor.bind("ids", i.view());
  executor.bind("table.weight", t.view());
  executor.bind("w.weight", m.view());
  Total total{&plan->graph(), {}, {}};
  executor.observe(
      [](void* user, const Executor::Observation& step) {
        auto* sum = static_cast<Total*>(user);
        const std::string label = label_of(*sum->graph, step);
        if (label == "w") sum->linear = cost_of(*sum->graph, step);
        if (label == "table") sum->embedding = cost_of(*sum->graph, step);
      },
      &total);
  executor.run();
  EXPECT_EQ(total.linear.weight_bytes, kOut * kIn * 4);
  EXPECT_EQ(total.linear.bytes, (kRows * kIn + kOut * kIn + kRows * kOut) * 4);
  EXPECT_EQ(total.linear.operations, 2 * kRows * kIn * kOut);
  EXPECT_EQ(total.embedding.weight_bytes, kRows * kIn * 4);
}

}  // namespace
}  // namespace bantam
