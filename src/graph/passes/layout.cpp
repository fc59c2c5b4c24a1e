#include "tensor/layout.h"
#include "graph/op.h"
#include "graph/passes.h"

namespace bantam {

// What is only looked up or widened row by row stays as it is: its rows would only be scattered.
Graph interleave_weights(Graph g) {
  const auto n = static_cast<size_t>(g.size());
  std::vector<bool> multiplied(n), refused(n);
  for (int32_t i = 0; i < g.size(); ++i) {
    const Op& op = *g.node(i).op;
    for (const Value& v : g.node(i).inputs) {
      const auto leaf = static_cast<size_t>(v.node);
      if (!op.reads_interleaved) refused[leaf] = true;
      if (op.name != "embedding" && op.name != "cast") multiplied[leaf] = true;
    }
  }
  for (int32_t i = 0; i < g.size(); ++i) {
    Node& node = g.node_mutable(i);
    if (node.op->name != "weight" || refused[static_cast<size_t>(i)]) continue;
    Type& type = node.outputs[0];
    if (multiplied[static_cast<size_t>(i)] && can_interleave(type.dtype, type.shape.bind({}))) {
      type.layout = Layout::interleaved;
    }
  }
  return g;
}

}  // namespace bantam
