#include "graph/passes/rewrite.h"

#include "base/error.h"
#include "graph/op.h"

namespace bantam {

Rewrite::Rewrite(const Graph& from) : from_(from), to_(from.fresh()) {
  map_.reserve(static_cast<size_t>(from.size()));
  for (int32_t i = 0; i < from.size(); ++i) map_.emplace_back(from.node(i).outputs.size());
}

bool Rewrite::is_mapped(Value old) const {
  return map_[static_cast<size_t>(old.node)][static_cast<size_t>(old.output)].defined();
}

Value Rewrite::map(Value old) {
  if (!is_mapped(old)) {
    BANTAM_ASSERT(from_.node(old).op->leaf);
    keep(old.node);
  }
  return map_[static_cast<size_t>(old.node)][static_cast<size_t>(old.output)];
}

std::vector<Value> Rewrite::map(const std::vector<Value>& old) {
  std::vector<Value> now;
  now.reserve(old.size());
  for (const Value& v : old) now.push_back(map(v));
  return now;
}

void Rewrite::keep(int32_t node) {
  map_[static_cast<size_t>(node)] = to_.copy(from_, node, map(from_.node(node).inputs));
}

Graph Rewrite::finish() {
  for (const Graph::Output& o : from_.outputs()) to_.output(o.name, map(o.value));
  return std::move(to_);
}

}  // namespace bantam
