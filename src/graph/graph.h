#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/attributes.h"
#include "tensor/tensor.h"

namespace bantam {

struct Op;

// One extent of a shape: a constant, or `factor` times a symbol that is bound at each run.
struct Extent {
  int64_t factor = 0;
  int symbol = -1;  // -1: constant

  Extent() = default;
  Extent(int64_t constant) : factor(constant) {}  // NOLINT: integers are extents
  Extent(int64_t f, int s) : factor(f), symbol(s) {}
  [[nodiscard]] int64_t bind(std::span<const int64_t> symbols) const {
    return symbol < 0 ? factor : factor * symbols[static_cast<size_t>(symbol)];
  }
  bool operator==(const Extent&) const = default;
};
inline Extent operator*(Extent e, int64_t f) {
  return {e.factor * f, e.symbol};
}

// A shape of extents, row-major, innermost last.
class SymShape {
 public:
  SymShape() = default;
  SymShape(std::initializer_list<Extent> extents);
  SymShape(const Shape& shape);  // NOLINT: constants are extents

  [[nodiscard]] int rank() const { return rank_; }
  const Extent& operator[](int axis) const {
    return extents_[static_cast<size_t>(axis < 0 ? axis + rank_ : axis)];
  }
  Extent& operator[](int axis) {
    return extents_[static_cast<size_t>(axis < 0 ? axis + rank_ : axis)];
  }
  void push_back(Extent e);
  // Product of all extents, and of all but the innermost; at most one may be symbolic.
  [[nodiscard]] Extent elements() const;
  [[nodiscard]] Extent rows() const;
  [[nodiscard]] Shape bind(std::span<const int64_t> symbols) const;
  [[nodiscard]] std::string str() const;
  bool operator==(const SymShape& other) const;

 private:
  int rank_ = 0;
  std::array<Extent, kMaxRank> extents_{};
};

struct Type {
  DType dtype = DType::f32;
  SymShape shape;
  Layout layout = Layout::rows;  // of weights and cached keys
  bool operator==(const Type&) const = default;
  [[nodiscard]] std::string str() const;
};

// One output of one node. A default-constructed Value means "none".
struct Value {
  int32_t node = -1;
  int32_t output = 0;
  [[nodiscard]] bool defined() const { return node >= 0; }
  auto operator<=>(const Value&) const = default;
};

struct Node {
  const Op* op = nullptr;
  Attributes attributes;
  std::vector<Value> inputs;
  std::vector<Type> outputs;
  std::string name;       // of inputs, weights, states and named values; else empty
  int segment = -1;       // unit of activation checkpointing, -1: none
  bool backward = false;  // made by gradient()
};

// A single-assignment graph of tensor operations. Nodes are stored in an order in which each comes
// after its inputs; that order is also the order of execution.
//
//   Graph g;
//   int tokens = g.symbol("tokens");
//   Value x = g.input("x", {DType::f32, {Extent(1, tokens), 64}});
//   Value w = g.weight("w", {DType::f32, {128, 64}});
//   Value y = ops::matmul(g, x, w);
//   g.output("y", y);
class Graph {
 public:
  // Returns the number of the named extent, made on first use.
  int symbol(std::string_view name);
  [[nodiscard]] const std::vector<std::string>& symbols() const { return symbols_; }

  // Leaves. Inputs are given anew at each run, weights are fixed, states outlive a run and are
  // written by ops that say so. Asking twice for a name gives the same value; the types must agree.
  Value input(std::string_view name, const Type& type);
  Value weight(std::string_view name, const Type& type);
  Value state(std::string_view name, const Type& type);
  Value constant(float value);  // f32 scalar, shape [1]

  // Adds a node; its shape rule checks the inputs (throws ErrorKind::model with the op's name).
  Value add(const Op& op, std::vector<Value> inputs, Attributes attributes = {});
  // The same when the op has several outputs.
  std::vector<Value> add_multi(const Op& op, std::vector<Value> inputs, Attributes attributes = {});

  // Marks a value that a run must produce and a caller can fetch or observe by name.
  void output(std::string_view name, Value value);
  struct Output {
    std::string name;
    Value value;
  };
  [[nodiscard]] const std::vector<Output>& outputs() const { return outputs_; }
  [[nodiscard]] Value find_output(std::string_view name) const;  // undefined if absent
  // The leaf with this name, undefined if absent.
  [[nodiscard]] Value find_leaf(std::string_view name) const;

  [[nodiscard]] const Node& node(int32_t i) const { return nodes_[static_cast<size_t>(i)]; }
  [[nodiscard]] const Node& node(Value v) const { return node(v.node); }
  Node& node_mutable(int32_t i) { return nodes_[static_cast<size_t>(i)]; }
  [[nodiscard]] int32_t size() const { return static_cast<int32_t>(nodes_.size()); }
  [[nodiscard]] const Type& type(Value v) const {
    return node(v).outputs[static_cast<size_t>(v.output)];
  }
  [[nodiscard]] const SymShape& shape(Value v) const { return type(v).shape; }
  [[nodiscard]] DType dtype(Value v) const { return type(v).dtype; }

  // Nodes added from now on belong to this checkpointing segment (a transformer block, say).
  void set_segment(int segment) { segment_ = segment; }
  [[nodiscard]] int segment() const { return segment_; }
  void set_backward(bool backward) { backward_ = backward; }

  // An empty graph with the same symbols: where a pass rebuilds into.
  [[nodiscard]] Graph fresh() const;
  // Copies a node of another graph with new inputs; used by passes.
  std::vector<Value> copy(const Graph& from, int32_t node, std::vector<Value> inputs);

  // One line per node, for people.
  [[nodiscard]] std::string dump() const;

 private:
  Value leaf(const Op& op, std::string_view name, const Type& type);
  std::deque<Node> nodes_;
  std::vector<std::string> symbols_;
  std::vector<Output> outputs_;
  int segment_ = -1;
  bool backward_ = false;
};

}  // namespace bantam
