#pragma once

#include <cstdint>
#include <string>

#include "graph/plan.h"

namespace bantam {

// What a step of a plan has to do, from its operands alone: memory that it must read and write at
// least once, and multiplications and additions.
struct StepCost {
  int64_t bytes = 0;         // all of it
  int64_t weight_bytes = 0;  // of weights
  int64_t cache_bytes = 0;   // of keys and values that are looked at, and other states
  double operations = 0;
};

// For rows of an embedding only the rows that are taken count, for attention only the cells up to
// the positions of the rows.
StepCost cost_of(const Graph& graph, const Executor::Observation& step);

// "blk.3.ffn_down" for a step that reads a weight, else the name of the op.
std::string label_of(const Graph& graph, const Executor::Observation& step);

}  // namespace bantam
