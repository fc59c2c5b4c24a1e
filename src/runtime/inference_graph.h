#pragma once

#include "models/builder.h"
#include "runtime/engine.h"

namespace bantam {

// What an engine runs, before other passes: the model's graph over caches. Extent "tokens" are the
// rows of a run; "logits", those whose logits are wanted. Options must be complete.
Graph inference_graph(const Model& model, const EngineOptions& options, BuildOptions::Part part);

// The parts of a model that an engine runs one after the other.
std::vector<BuildOptions::Part> inference_parts(const Model& model);

}  // namespace bantam
