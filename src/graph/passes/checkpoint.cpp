#include <map>

#include "graph/op.h"
#include "graph/passes.h"
#include "graph/passes/rewrite.h"

// Activation checkpointing. A forward value is kept when another segment reads it (the input of a
// block) and recomputed otherwise, at the place where the backward pass first needs it.

namespace bantam {
namespace {

class Checkpointing {
 public:
  explicit Checkpointing(const Graph& g)
      : g_(g), rewrite_(g), kept_(static_cast<size_t>(g.size())) {
    for (int32_t i = 0; i < g.size(); ++i) {
      const Node& n = g.node(i);
      if (n.op->leaf || n.op->effect || n.segment < 0) kept_[static_cast<size_t>(i)] = true;
      if (n.backward) continue;
      for (const Value& v : n.inputs) {
        if (g.node(v).segment != n.segment) kept_[static_cast<size_t>(v.node)] = true;
      }
    }
    for (const Graph::Output& o : g.outputs()) kept_[static_cast<size_t>(o.value.node)] = true;
  }

  Graph run() {
    for (int32_t i = 0; i < g_.size(); ++i) {
      const Node& n = g_.node(i);
      if (!n.backward) {
        if (!rewrite_.is_mapped({i, 0})) rewrite_.keep(i);
        continue;
      }
      std::vector<Value> inputs;
      for (const Value& v : n.inputs) inputs.push_back(for_backward(v));
      const auto outputs = rewrite_.to().copy(g_, i, std::move(inputs));
      for (const Value& v : outputs) rewrite_.set({i, v.output}, v);
    }
    return rewrite_.finish();
  }

 private:
  Value for_backward(Value v) {
    if (g_.node(v).backward || kept_[static_cast<size_t>(v.node)]) return rewrite_.map(v);
    const auto found = again_.find(v.node);
    if (found != again_.end()) return {found->second, v.output};
    std::vector<Value> inputs;
    for (const Value& in : g_.node(v).inputs) inputs.push_back(for_backward(in));
    const int32_t clone = rewrite_.to().copy(g_, v.node, std::move(inputs))[0].node;
    again_[v.node] = clone;
    return {clone, v.output};
  }

  const Graph& g_;
  Rewrite rewrite_;
  std::vector<bool> kept_;
  std::map<int32_t, int32_t> again_;  // old node -> its recomputation
};

}  // namespace

Graph checkpoint_activations(const Graph& g) {
  return Checkpointing(g).run();
}

}  // namespace bantam
