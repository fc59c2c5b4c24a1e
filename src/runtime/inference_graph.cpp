#include "runtime/inference_graph.h"

#include "graph/passes.h"
#include "models/architectures.h"

namespace bantam {

Graph inference_graph(const Model& model, const EngineOptions& o) {
  using Storage = BuildOptions::Storage;
  Graph g;
  BuildOptions b;
  b.weight_type = [&](std::string_view name) {
    const auto found = model.weights.find(name);
    return found == model.weights.end() ? Storage{}
                                        : Storage{found->second.dtype(), found->second.layout()};
  };
  b.has_weight = [&](std::string_view name) { return model.weights.contains(name); };
  b.cache = {o.sequences, o.context, o.cache_type};
  b.rows = Extent(1, g.symbol("tokens"));
  b.logit_rows = Extent(1, g.symbol("logits"));
  Builder builder(g, b);
  g.output("logits", build_model(builder, model.config));
  return o.interleave ? interleave_weights(std::move(g)) : std::move(g);
}

}  // namespace bantam
