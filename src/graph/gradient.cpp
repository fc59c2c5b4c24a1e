#include "graph/gradient.h"

#include <map>
#include <set>

#include "base/error.h"
#include "graph/op.h"
#include "graph/ops.h"

namespace bantam {
namespace {

// Reverse-mode differentiation. Nodes are visited from last to first through an ordered set, so
// that nodes added meanwhile (fallbacks of fused ops) take their turn in order too.
class Differentiation {
 public:
  Differentiation(Graph& g, std::span<const Value> wrt) : graph_(g) {
    needed_.resize(static_cast<size_t>(g.size()));
    for (const Value& v : wrt) needed_[static_cast<size_t>(v.node)] = true;
    for (int32_t i = 0; i < g.size(); ++i) mark(i);
  }

  void seed(Value loss) {
    const Value one = graph_.constant(1.0f);
    contribute(loss, one);
  }

  void run() {
    while (!pending_.empty()) {
      const int32_t i = *pending_.rbegin();
      pending_.erase(i);
      visit(i);
    }
  }

  Value adjoint(Value v) const {
    const auto found = adjoints_.find(v);
    return found == adjoints_.end() ? Value{} : found->second;
  }

 private:
  void mark(int32_t i) {
    if (needed_[static_cast<size_t>(i)]) return;
    for (const Value& v : graph_.node(i).inputs) {
      if (needed_[static_cast<size_t>(v.node)]) needed_[static_cast<size_t>(i)] = true;
    }
  }

  bool needed(Value v) const { return needed_[static_cast<size_t>(v.node)]; }

  void contribute(Value v, Value gradient) {
    if (!gradient.defined() || !needed(v)) return;
    Value& sum = adjoints_[v];
    sum = sum.defined() ? sum_of(sum, gradient) : gradient;
    if (!graph_.node(v).inputs.empty()) pending_.insert(v.node);
  }

  // Keeps the wider of the two types.
  Value sum_of(Value a, Value b) {
    return graph_.dtype(a) == DType::f32 ? ops::add(graph_, a, b) : ops::add(graph_, b, a);
  }

  void visit(int32_t i) {
    const Node& node = graph_.node(i);  // a deque: stays valid while nodes are added
    std::vector<Value> outputs(node.outputs.size()), gradients(node.outputs.size());
    for (size_t k = 0; k < outputs.size(); ++k) {
      outputs[k] = {i, static_cast<int32_t>(k)};
      gradients[k] = adjoint(outputs[k]);
    }
    graph_.set_segment(node.segment);
    if (node.op->gradient != nullptr) {
      apply_rule(node, outputs, gradients);
    } else if (node.op->fallback != nullptr) {
      expand(node, gradients);
    } else {
      fail(ErrorKind::model, node.op->name, "expected a differentiable op on the way to the loss");
    }
  }

  void apply_rule(const Node& node, std::span<const Value> outputs,
                  std::span<const Value> gradients) {
    if (!gradients[0].defined()) return;
    bool wanted[16] = {};
    BANTAM_ASSERT(node.inputs.size() <= 16);
    for (size_t k = 0; k < node.inputs.size(); ++k) wanted[k] = needed(node.inputs[k]);
    const std::vector<Value> result = node.op->gradient(
        {graph_, node, outputs, gradients, std::span<const bool>(wanted, node.inputs.size())});
    for (size_t k = 0; k < result.size(); ++k) {
      if (wanted[k]) contribute(node.inputs[k], result[k]);
    }
  }

  void expand(const Node& node, std::span<const Value> gradients) {
    const int32_t first = graph_.size();
    const std::vector<Value> values = node.op->fallback(graph_, node);
    needed_.resize(static_cast<size_t>(graph_.size()));
    for (int32_t i = first; i < graph_.size(); ++i) mark(i);
    for (size_t k = 0; k < values.size(); ++k) contribute(values[k], gradients[k]);
  }

  Graph& graph_;
  std::vector<bool> needed_;
  std::map<Value, Value> adjoints_;
  std::set<int32_t> pending_;
};

}  // namespace

std::vector<Value> gradient(Graph& g, Value loss, std::span<const Value> wrt) {
  if (!(g.shape(loss).elements() == Extent(1))) {
    fail(ErrorKind::model, "gradient", "expected a scalar loss, got {}", g.type(loss).str());
  }
  const int segment = g.segment();
  g.set_backward(true);
  Differentiation d(g, wrt);
  d.seed(loss);
  d.run();
  g.set_backward(false);
  g.set_segment(segment);
  std::vector<Value> result;
  for (const Value& v : wrt) result.push_back(d.adjoint(v));
  return result;
}

}  // namespace bantam
