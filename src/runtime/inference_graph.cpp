#include "runtime/inference_graph.h"

#include "graph/passes.h"
#include "models/architectures.h"

namespace bantam {

using Part = BuildOptions::Part;

Graph inference_graph(const Model& model, const EngineOptions& o, Part part) {
  using Storage = BuildOptions::Storage;
  Graph g;
  BuildOptions b;
  b.part = part;
  b.weight_type = [&](std::string_view name) {
    const auto found = model.weights.find(name);
    return found == model.weights.end() ? Storage{}
                                        : Storage{found->second.dtype(), found->second.layout()};
  };
  b.has_weight = [&](std::string_view name) { return model.weights.contains(name); };
  b.cache = {.sequences = o.sequences,
             .cells = o.context,
             .type = o.cache_type,
             .sources = o.sources,
             .source_cells = o.source_context,
             .batch = o.batch,
             .pool = o.cache_cells,
             .window = o.cache_window,
             .keep = o.cache_window > 0 ? o.cache_sinks : 0,
             .heavy = o.cache_heavy};
  const Extent tokens(1, g.symbol("tokens"));
  if (part == Part::encoder) {
    b.source_rows = tokens;
    Builder builder(g, b);
    build_model(builder, model.config);
  } else {
    b.rows = tokens;
    b.logit_rows = Extent(1, g.symbol("logits"));
    Builder builder(g, b);
    g.output("logits", build_model(builder, model.config));
  }
  if (o.exact) g = widen_weights(g);
  return o.interleave ? interleave_weights(std::move(g)) : g;
}

std::vector<Part> inference_parts(const Model& model) {
  if (!model.config.reads_source()) return {Part::whole};
  return {Part::encoder, Part::decoder};
}

}  // namespace bantam
