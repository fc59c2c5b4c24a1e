#include "runtime/pack.h"

#include <algorithm>

#include "graph/op.h"
#include "runtime/engine_plans.h"
#include "runtime/inference_graph.h"
#include "tensor/layout.h"

namespace bantam {
namespace {

// Interleaved blocks begin where a cache line does.
constexpr uint32_t kAlignment = 64;
constexpr std::string_view kAlignmentKey = "general.alignment";

void set_alignment(Model& model) {
  std::erase_if(model.metadata, [](const auto& entry) { return entry.first == kAlignmentKey; });
  model.metadata.emplace_back(kAlignmentKey, kAlignment);
}

}  // namespace

Model pack_model(const Model& model, ThreadPool& pool) {
  Model packed = model;
  set_alignment(packed);
  EngineOptions options;
  options.context = 1;
  options = complete(model, options);
  for (const BuildOptions::Part part : inference_parts(model)) {
    const Graph g = inference_graph(model, options, part);
    for (int32_t i = 0; i < g.size(); ++i) {
      const Node& n = g.node(i);
      if (n.op->name != "weight" || n.outputs[0].layout != Layout::interleaved) continue;
      Tensor& weight = packed.weights.find(n.name)->second;
      weight = interleave(weight, pool);
    }
  }
  return packed;
}

bool is_packed(const Model& model) {
  return std::any_of(model.weights.begin(), model.weights.end(), [](const auto& entry) {
    return entry.second.layout() == Layout::interleaved;
  });
}

Model unpack_model(const Model& model) {
  Model plain = model;
  for (auto& [name, weight] : plain.weights) weight = deinterleave(weight);
  return plain;
}

}  // namespace bantam
