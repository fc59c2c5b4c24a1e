#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"
#include "tensor/backend.h"

namespace bantam {

class Arena;
class ThreadPool;

// The ordered steps of a graph with every intermediate buffer placed in one arena, for extents up
// to `limits`. Deterministic: the same graph, limits and thread count give the same offsets.
class Plan {
 public:
  // `limits[s]` is the largest value of symbol s. Throws ErrorKind::model if the back end lacks an
  // op.
  Plan(Graph graph, const Backend& backend, std::vector<int64_t> limits, int threads);

  struct Slot {  // where a value lives
    enum Kind { external, arena } kind = arena;
    int64_t offset = 0;  // arena
    int32_t leaf = -1;   // external: the leaf node
  };
  struct Step {
    int32_t node;
    BoundKernel kernel;
    int64_t scratch_offset;
    std::vector<Value> inputs, outputs;
  };

  [[nodiscard]] const Graph& graph() const { return graph_; }
  [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }
  [[nodiscard]] const Slot& slot(Value v) const;
  [[nodiscard]] std::span<const int64_t> limits() const { return limits_; }
  // Exact size of the arena: activations plus kernel scratch.
  [[nodiscard]] int64_t arena_bytes() const { return arena_bytes_; }
  // Bytes of all leaves of a kind at the plan's limits ("input", "weight", "state"); not of those
  // that another plan has by the same name.
  [[nodiscard]] int64_t leaf_bytes(std::string_view kind, const Plan* besides = nullptr) const;
  [[nodiscard]] std::string str() const;  // a table for people

 private:
  Graph graph_;
  std::vector<int64_t> limits_;
  std::vector<Step> steps_;
  std::vector<std::vector<Slot>> slots_;  // [node][output]
  int64_t arena_bytes_ = 0;
};

// Runs a plan. Leaves are bound by name once (weights, states) or before each run (inputs). Does
// not allocate while running.
//   Executor ex(plan, pool);
//   ex.bind("w", weight.view());
//   ex.bind("x", input.view());
//   ex.set_extent("tokens", 3);
//   ex.run();
//   TensorView y = ex.output("y");
class Executor {
 public:
  // Without an arena it has one of its own. In a shared one, outputs last until another executor
  // of that arena runs.
  Executor(std::shared_ptr<const Plan> plan, ThreadPool& pool, std::shared_ptr<Arena> arena = {});
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  [[nodiscard]] const Plan& plan() const { return *plan_; }
  // The view must have the leaf's dtype and layout and, at each run, its bound shape.
  void bind(std::string_view leaf, const TensorView& view);
  [[nodiscard]] bool has_leaf(std::string_view leaf) const;
  void set_extent(std::string_view symbol, int64_t value);
  // Throws ErrorKind::internal if a leaf is unbound or an extent exceeds the plan's limit.
  void run();
  // Valid until the next run.
  [[nodiscard]] TensorView output(std::string_view name) const;

  // Called after each step when set: for profiles and observers.
  struct Observation {
    const Node& node;
    int32_t index;
    std::span<const TensorView> inputs, outputs;
    double seconds;
  };
  using Observer = void (*)(void* user, const Observation&);
  void observe(Observer observer, void* user);

 private:
  struct Impl;
  std::shared_ptr<const Plan> plan_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace bantam
