#include <map>

#include "graph/op.h"
#include "graph/ops.h"
#include "graph/passes.h"
#include "graph/passes/rewrite.h"

// Passes over projections y = x W^T.

namespace bantam {
namespace {

bool is_projection(const Graph& g, int32_t i) {
  const Node& n = g.node(i);
  return n.op->name == "linear" && g.node(n.inputs[1]).op->leaf;
}

// Projections go together when one kernel can serve them: one input, all integer products, or all
// with weights of one plain type.
struct GroupKey {
  Value x;
  bool quantized;
  DType dtype, out;
  int64_t part = 0;  // of the projections of one input, which a source of many blocks has
  auto operator<=>(const GroupKey&) const = default;
};

GroupKey key_of(const Graph& g, int32_t i) {
  const Node& n = g.node(i);
  const DType w = g.dtype(n.inputs[1]);
  const bool quantized = dtype_info(w).quantized;
  return {n.inputs[0], quantized, quantized ? DType::f32 : w, n.outputs[0].dtype, 0};
}

}  // namespace

Graph fuse_projections(const Graph& g) {
  static constexpr int64_t kMost = 8;  // projections in one step
  std::map<GroupKey, int64_t> seen;
  std::map<GroupKey, std::vector<int32_t>> groups;
  std::map<int32_t, GroupKey> keys;
  for (int32_t i = 0; i < g.size(); ++i) {
    if (!is_projection(g, i)) continue;
    GroupKey key = key_of(g, i);
    key.part = seen[key]++ / kMost;
    keys[i] = key;
    groups[key].push_back(i);
  }
  Rewrite r(g);
  for (int32_t i = 0; i < g.size(); ++i) {
    if (r.is_mapped({i, 0})) continue;
    if (is_projection(g, i)) {
      const std::vector<int32_t>& group = groups[keys[i]];
      if (group.size() > 1 && g.node(i).outputs[0].dtype == DType::f32) {
        std::vector<Value> weights;
        weights.reserve(group.size());
        for (const int32_t k : group) weights.push_back(r.map(g.node(k).inputs[1]));
        r.to().set_segment(g.node(i).segment);
        const auto y = ops::linear_group(r.to(), r.map(g.node(i).inputs[0]), weights);
        for (size_t k = 0; k < group.size(); ++k) r.set({group[k], 0}, y[k]);
        continue;
      }
    }
    r.keep(i);
  }
  return r.finish();
}

namespace {

// Whether f32 activations are multiplied with such weights.
bool has_weights(const Graph& g, const Node& n, bool (*wanted)(DType)) {
  const bool product =
      n.op->name == "linear" || n.op->name == "linear_group" || n.op->name == "expert_linear";
  return product && g.dtype(n.inputs[0]) == DType::f32 && wanted(g.dtype(n.inputs[1]));
}

bool is_quantized(DType t) {
  return dtype_info(t).quantized;
}

// The graph with other operands for the products that have such weights.
template <typename Change>
Graph change_products(const Graph& g, bool (*wanted)(DType), Change change) {
  Rewrite r(g);
  for (int32_t i = 0; i < g.size(); ++i) {
    const Node& n = g.node(i);
    if (r.is_mapped({i, 0})) continue;
    if (!has_weights(g, n, wanted)) {
      r.keep(i);
      continue;
    }
    r.to().set_segment(n.segment);
    std::vector<Value> inputs = r.map(n.inputs);
    change(r.to(), inputs);
    const auto y = r.to().add_multi(*n.op, std::move(inputs), n.attributes);
    for (size_t k = 0; k < y.size(); ++k) r.set({i, static_cast<int32_t>(k)}, y[k]);
  }
  return r.finish();
}

}  // namespace

Graph quantize_activations(const Graph& g) {
  return change_products(g, is_quantized, [](Graph& to, std::vector<Value>& inputs) {
    inputs[0] = ops::quantize(to, inputs[0]);
  });
}

Graph widen_weights(const Graph& g) {
  const auto rounds = [](DType t) {
    return is_quantized(t) || t == DType::bf16 || t == DType::f16;
  };
  return change_products(g, rounds, [](Graph& to, std::vector<Value>& inputs) {
    inputs[1] = ops::cast(to, inputs[1], DType::f32);
  });
}

}  // namespace bantam
