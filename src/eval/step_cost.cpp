#include "eval/step_cost.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "graph/op.h"

namespace bantam {
namespace {

// Cells of keys (or values) that the rows of an attention step look at, of all sequences together,
// and the sum over the rows.
struct Cells {
  int64_t read = 0, looked_at = 0;
};

Cells cells_of(const Executor::Observation& step) {
  const auto* sequences = step.inputs[3].as<int32_t>();
  const auto* positions = step.inputs[4].as<int32_t>();
  const int64_t window = step.node.attributes.integer("window", 0);
  const int64_t keep = step.node.attributes.integer("keep", 0);
  struct Seen {
    int64_t begin = INT64_MAX, end = 0;
  };
  std::map<int32_t, Seen> seen;
  Cells cells;
  const auto count = [&](int64_t begin, int64_t end) {
    return end - begin + std::min(begin, keep);
  };
  for (int64_t i = 0; i < step.inputs[4].shape.elements(); ++i) {
    const int64_t end = positions[i] + 1;
    const int64_t begin = window > 0 ? std::max<int64_t>(0, end - window) : 0;
    Seen& all = seen[sequences[i]];
    all = {std::min(all.begin, begin), std::max(all.end, end)};
    cells.looked_at += count(begin, end);
  }
  for (const auto& [unused, all] : seen) cells.read += count(all.begin, all.end);
  return cells;
}

std::string_view leaf_kind(const Graph& g, Value v) {
  const Node* n = &g.node(v.node);
  // An updated state is the state.
  while (n->op->alias >= 0 && !n->inputs.empty()) {
    n = &g.node(n->inputs[static_cast<size_t>(n->op->alias)].node);
  }
  return n->op->leaf ? n->op->name : "";
}

int64_t row_cost(const TensorView& table, int64_t rows) {
  const int64_t all = std::max<int64_t>(table.shape[0], 1);
  return table.bytes() / all * std::min(rows, all);
}

// The rows of a screened head that were computed; the screen is read where any could be left out.
int64_t screened_cost(const Executor::Observation& s, size_t input) {
  const auto* y = s.outputs[0].as<float>();
  const int64_t all = s.outputs[0].shape.elements();
  const int64_t computed = all - std::count(y, y + all, -INFINITY);
  const int64_t bytes = s.inputs[input].bytes();
  if (input != 1) return computed < all ? bytes : 0;
  return std::min(bytes, bytes / s.inputs[1].shape[0] * computed);
}

// Of the experts that some row was sent to; x [N, K], w [E, N, K], offsets [E + 1].
int64_t expert_cost(const Executor::Observation& s) {
  const TensorView& w = s.inputs[1];
  const int64_t experts = w.shape[0];
  if (s.inputs.size() < 3) return w.bytes();
  const auto* offsets = s.inputs[2].as<int32_t>();
  int64_t used = 0;
  for (int64_t e = 0; e < experts; ++e) used += offsets[e + 1] > offsets[e] ? 1 : 0;
  return w.bytes() / experts * used;
}

int64_t rows_of(const TensorView& x) {
  return x.shape.elements() / std::max<int64_t>(x.shape[-1], 1);
}

double product_operations(const Executor::Observation& s) {
  double sum = 0;
  const int64_t rows = rows_of(s.inputs[0]);
  for (size_t i = 1; i < s.inputs.size(); ++i) {
    sum += 2.0 * static_cast<double>(rows) * static_cast<double>(s.inputs[i].shape.elements());
  }
  return sum;
}

}  // namespace

StepCost cost_of(const Graph& g, const Executor::Observation& s) {
  StepCost cost;
  const std::string_view op = s.node.op->name;
  const bool attends = op == "attention";
  const Cells cells = attends ? cells_of(s) : Cells{};
  for (size_t i = 0; i < s.inputs.size(); ++i) {
    const TensorView& input = s.inputs[i];
    const std::string_view kind = leaf_kind(g, s.node.inputs[i]);
    int64_t bytes = input.bytes();
    if (op == "embedding" && i == 0) bytes = row_cost(input, s.inputs[1].shape.elements());
    if (attends && (i == 1 || i == 2)) {
      const int64_t all = input.shape[0] * input.shape[1];
      bytes = input.bytes() / std::max<int64_t>(all, 1) * std::min(cells.read, all);
    }
    if (op == "cache_write" && i == 0) bytes = s.inputs[1].shape.elements() * 2;
    if (op == "expert_linear" && i == 1) bytes = expert_cost(s);
    if (op == "screened_linear" && i >= 1 && i <= 3) bytes = screened_cost(s, i);
    cost.bytes += bytes;
    if (kind == "weight") cost.weight_bytes += bytes;
    if (kind == "state") cost.cache_bytes += bytes;
  }
  for (const TensorView& output : s.outputs) {
    if (op != "cache_write") cost.bytes += output.bytes();
  }
  if (op == "linear" || op == "linear_group" || op == "gated_linear") {
    cost.operations = product_operations(s);
  } else if (op == "expert_linear") {
    const Shape& w = s.inputs[1].shape;
    cost.operations = 2.0 * static_cast<double>(rows_of(s.inputs[0]) * w[1] * w[2]);
  } else if (attends) {
    const Shape& q = s.inputs[0].shape;
    cost.operations = 4.0 * static_cast<double>(cells.looked_at) * static_cast<double>(q[1] * q[2]);
  } else {
    for (const TensorView& output : s.outputs) {
      cost.operations += static_cast<double>(output.shape.elements());
    }
  }
  return cost;
}

std::string label_of(const Graph& g, const Executor::Observation& s) {
  for (const Value& v : s.node.inputs) {
    const Node& n = g.node(v.node);
    if (n.op->name != "weight") continue;
    const std::string_view name = n.name;
    return std::string(name.ends_with(".weight") ? name.substr(0, name.size() - 7) : name);
  }
  return std::string(s.node.op->name);
}

}  // namespace bantam
