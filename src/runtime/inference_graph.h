#pragma once

#include "graph/graph.h"
#include "runtime/engine.h"

namespace bantam {

// What an engine runs, before other passes: the model's graph over caches. Extents "tokens" and
// "logits" are the rows of a run and those whose logits are wanted. Complete options only.
Graph inference_graph(const Model& model, const EngineOptions& options);

}  // namespace bantam
