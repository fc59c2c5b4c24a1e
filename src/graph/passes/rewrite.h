#pragma once

#include <vector>

#include "graph/graph.h"

namespace bantam {

// What passes share: a new graph in the making and where each old value went.
class Rewrite {
 public:
  explicit Rewrite(const Graph& from);

  [[nodiscard]] const Graph& from() const { return from_; }
  [[nodiscard]] Graph& to() { return to_; }
  // The new value for an old one; leaves are copied when first asked for.
  Value map(Value old);
  [[nodiscard]] std::vector<Value> map(const std::vector<Value>& old);
  [[nodiscard]] bool is_mapped(Value old) const;
  void set(Value old, Value now) {
    map_[static_cast<size_t>(old.node)][static_cast<size_t>(old.output)] = now;
  }
  // Copies the node with its inputs mapped.
  void keep(int32_t node);
  // Copies the graph outputs and returns the new graph.
  Graph finish();

 private:
  const Graph& from_;
  Graph to_;
  std::vector<std::vector<Value>> map_;
};

}  // namespace bantam
