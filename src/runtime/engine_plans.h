#pragma once

#include <memory>

#include "runtime/engine.h"

namespace bantam {

// The plans that an engine runs.
struct EnginePlans {
  std::shared_ptr<const Plan> run;   // tokens to logits
  std::shared_ptr<const Plan> read;  // an encoder-decoder's source texts to states; else null
};

// The options with what they leave to the model. Throws ErrorKind::usage for numbers below 1.
EngineOptions complete(const Model& model, EngineOptions options);
EnginePlans make_engine_plans(const Model& model, const EngineOptions& options, int threads);
MemoryPlan memory_of(const EnginePlans& plans, const Model& model, const EngineOptions& options);
// Whether a weight is read from its file anew in each run, while others are kept (norms, biases).
bool is_streamed(const Tensor& weight);
// The smallest window that weights can be streamed through.
int64_t least_stream(const Model& model, const EngineOptions& options);

// Most rows of logits, and most tokens of sources, in one run.
int64_t most_logits(const EngineOptions& options);
int64_t most_source_tokens(const EngineOptions& options);

}  // namespace bantam
