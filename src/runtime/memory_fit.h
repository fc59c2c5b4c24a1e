#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/engine.h"

namespace bantam {

// One way to run a model, and what it needs.
struct MemoryChoice {
  int64_t context = 0, batch = 0;
  DType cache_type = DType::f16;
  bool streamed = false;  // weights are read from the file in each run
  int64_t bytes = 0;
};

// The options with the widest batch that stays within `limit` bytes for the whole process; context
// and cache keep what was asked for. Where not even one token at a time fits, weights are streamed
// through what is left. Throws ErrorKind::resource with what was needed and a table of what would
// fit.
EngineOptions fit_memory(const Model& model, EngineOptions options, int64_t limit);

// The longest context (a power of two or the model's own) that fits for each type of cache, with
// weights in memory or else streamed, for types where any does.
std::vector<MemoryChoice> memory_choices(const Model& model, EngineOptions options, int64_t limit);

}  // namespace bantam
