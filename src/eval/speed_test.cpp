#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

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

// The costs of a graph's steps, by their labels.
std::map<std::string, StepCost> costs_of(const Graph& g,
                                         const std::map<std::string, Tensor>& values) {
  ThreadPool pool(1);
  const auto plan = std::make_shared<Plan>(g, cpu_backend(), std::vector<int64_t>{}, 1);
  Executor executor(plan, pool);
  for (const auto& [name, value] : values) executor.bind(name, value.view());
  struct Seen {
    const Graph* graph;
    std::map<std::string, StepCost> costs;
  } seen{&plan->graph(), {}};
  executor.observe(
      [](void* user, const Executor::Observation& step) {
        auto* s = static_cast<Seen*>(user);
        s->costs[label_of(*s->graph, step)] = cost_of(*s->graph, step);
      },
      &seen);
  executor.run();
  return seen.costs;
}

TEST(StepCosts, CountWeightsOnceAndOnlyTheRowsThatAreTaken) {
  constexpr int64_t kRows = 3, kIn = 64, kOut = 16, kVocabulary = 100;
  Graph g;
  const Value ids = g.input("ids", {DType::i32, {kRows}});
  const Value table = g.weight("table.weight", {DType::f32, {kVocabulary, kIn}});
  const Value w = g.weight("w.weight", {DType::f32, {kOut, kIn}});
  g.output("y", ops::linear(g, ops::embedding(g, table, ids), w, DType::f32));
  const auto costs = costs_of(g, {{"ids", Tensor::zeros(DType::i32, {kRows})},
                                  {"table.weight", Tensor::zeros(DType::f32, {kVocabulary, kIn})},
                                  {"w.weight", Tensor::zeros(DType::f32, {kOut, kIn})}});
  EXPECT_EQ(costs.at("w").weight_bytes, kOut * kIn * 4);
  EXPECT_EQ(costs.at("w").bytes, (kRows * kIn + kOut * kIn + kRows * kOut) * 4);
  EXPECT_EQ(costs.at("w").operations, 2 * kRows * kIn * kOut);
  EXPECT_EQ(costs.at("table").weight_bytes, kRows * kIn * 4);
}

TEST(StepCosts, CountTheExpertsThatRowsWereSentTo) {
  constexpr int64_t kRows = 3, kIn = 32, kOut = 16, kExperts = 8;
  Graph g;
  const Value x = g.input("x", {DType::f32, {kRows, kIn}});
  const Value choice = g.input("choice", {DType::i32, {kRows, 2}});
  const Value w = g.weight("w.weight", {DType::f32, {kExperts, kOut, kIn}});
  const ops::ExpertGroups groups = ops::group_by_expert(g, choice, kExperts);
  const Value rows = ops::embedding(g, x, groups.rows, DType::f32);
  g.output("y", ops::expert_linear(g, rows, w, groups.offsets, DType::f32));
  const Tensor chosen = Tensor::zeros(DType::i32, {kRows, 2});
  for (const int i : {1, 3, 5}) chosen.as<int32_t>()[i] = 6;  // experts 0 and 6 for all
  const auto costs = costs_of(g, {{"x", Tensor::zeros(DType::f32, {kRows, kIn})},
                                  {"choice", chosen},
                                  {"w.weight", Tensor::zeros(DType::f32, {kExperts, kOut, kIn})}});
  EXPECT_EQ(costs.at("w").weight_bytes, 2 * kOut * kIn * 4);
  EXPECT_EQ(costs.at("w").operations, 2 * (2 * kRows) * kIn * kOut);
}

}  // namespace
}  // namespace bantam
