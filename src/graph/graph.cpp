#include "graph/graph.h"

#include "base/error.h"
#include "graph/op.h"

namespace bantam {

extern const Op op_input, op_weight, op_state, op_constant;

SymShape::SymShape(std::initializer_list<Extent> extents) {
  for (const Extent& e : extents) push_back(e);
}

SymShape::SymShape(const Shape& shape) {
  for (int i = 0; i < shape.rank(); ++i) push_back(shape[i]);
}

void SymShape::push_back(Extent e) {
  BANTAM_ASSERT(rank_ < kMaxRank);
  extents_[static_cast<size_t>(rank_++)] = e;
}

namespace {
Extent product(const SymShape& shape, int axes) {
  Extent result(1);
  for (int i = 0; i < axes; ++i) {
    const Extent& e = shape[i];
    BANTAM_ASSERT(result.symbol < 0 || e.symbol < 0);
    result = Extent(result.factor * e.factor, result.symbol < 0 ? e.symbol : result.symbol);
  }
  return result;
}
}  // namespace

Extent SymShape::elements() const {
  return product(*this, rank_);
}
Extent SymShape::rows() const {
  return product(*this, rank_ - 1);
}

Shape SymShape::bind(std::span<const int64_t> symbols) const {
  std::array<int64_t, kMaxRank> dims{};
  for (int i = 0; i < rank_; ++i) dims[static_cast<size_t>(i)] = (*this)[i].bind(symbols);
  return Shape(std::span<const int64_t>(dims.data(), static_cast<size_t>(rank_)));
}

std::string SymShape::str() const {
  std::string text = "[";
  for (int i = 0; i < rank_; ++i) {
    if (i > 0) text += ", ";
    const Extent& e = (*this)[i];
    text += e.symbol < 0
                ? fmt::format("{}", e.factor)
                : fmt::format("{}${}", e.factor == 1 ? "" : fmt::format("{}*", e.factor), e.symbol);
  }
  return text + "]";
}

bool SymShape::operator==(const SymShape& other) const {
  if (rank_ != other.rank_) return false;
  for (int i = 0; i < rank_; ++i) {
    if (!((*this)[i] == other[i])) return false;
  }
  return true;
}

std::string Type::str() const {
  const std::string_view how = layout == Layout::interleaved ? " interleaved" : "";
  return fmt::format("{}{}{}", dtype_info(dtype).name, shape.str(), how);
}

int Graph::symbol(std::string_view name) {
  for (size_t i = 0; i < symbols_.size(); ++i) {
    if (symbols_[i] == name) return static_cast<int>(i);
  }
  symbols_.emplace_back(name);
  return static_cast<int>(symbols_.size()) - 1;
}

Value Graph::leaf(const Op& op, std::string_view name, const Type& type) {
  if (const Value found = find_leaf(name); found.defined()) {
    if (node(found).op != &op || !(this->type(found) == type)) {
      fail(ErrorKind::model, "graph", "leaf \"{}\" expected the type {}, got {}", name,
           this->type(found).str(), type.str());
    }
    return found;
  }
  Node n;
  n.op = &op;
  n.name = name;
  n.outputs = {type};
  nodes_.push_back(std::move(n));
  return {size() - 1, 0};
}

Value Graph::input(std::string_view name, const Type& type) {
  return leaf(op_input, name, type);
}
Value Graph::weight(std::string_view name, const Type& type) {
  return leaf(op_weight, name, type);
}
Value Graph::state(std::string_view name, const Type& type) {
  return leaf(op_state, name, type);
}

Value Graph::constant(float value) {
  Node n;
  n.op = &op_constant;
  n.attributes.set("value", static_cast<double>(value));
  n.outputs = {{DType::f32, {1}}};
  nodes_.push_back(std::move(n));
  return {size() - 1, 0};
}

std::vector<Value> Graph::add_multi(const Op& op, std::vector<Value> inputs,
                                    Attributes attributes) {
  for (const Value& v : inputs) BANTAM_ASSERT(v.defined() && v.node < size());
  for (const Value& v : inputs) {
    const bool readable = op.reads_interleaved || type(v).layout == Layout::rows;
    InferContext{*this, op, inputs, attributes}.check(readable, "rows that are not interleaved");
  }
  Node n;
  n.outputs = op.infer({*this, op, inputs, attributes});
  n.op = &op;
  n.attributes = std::move(attributes);
  n.inputs = std::move(inputs);
  n.segment = segment_;
  n.backward = backward_;
  nodes_.push_back(std::move(n));
  std::vector<Value> values(nodes_.back().outputs.size());
  for (size_t i = 0; i < values.size(); ++i) values[i] = {size() - 1, static_cast<int32_t>(i)};
  return values;
}

Value Graph::add(const Op& op, std::vector<Value> inputs, Attributes attributes) {
  return add_multi(op, std::move(inputs), std::move(attributes)).front();
}

void Graph::output(std::string_view name, Value value) {
  BANTAM_ASSERT(value.defined());
  outputs_.push_back({std::string(name), value});
}

Value Graph::find_output(std::string_view name) const {
  for (const Output& o : outputs_) {
    if (o.name == name) return o.value;
  }
  return {};
}

Value Graph::find_leaf(std::string_view name) const {
  for (int32_t i = 0; i < size(); ++i) {
    if (node(i).op->leaf && !node(i).name.empty() && node(i).name == name) return {i, 0};
  }
  return {};
}

Graph Graph::fresh() const {
  Graph g;
  g.symbols_ = symbols_;
  return g;
}

std::vector<Value> Graph::copy(const Graph& from, int32_t index, std::vector<Value> inputs) {
  Node n = from.node(index);
  n.inputs = std::move(inputs);
  nodes_.push_back(std::move(n));
  std::vector<Value> values(nodes_.back().outputs.size());
  for (size_t i = 0; i < values.size(); ++i) values[i] = {size() - 1, static_cast<int32_t>(i)};
  return values;
}

std::string Graph::dump() const {
  std::string text;
  for (int32_t i = 0; i < size(); ++i) {
    const Node& n = node(i);
    text += fmt::format("%{} = {}", i, n.op->name);
    if (!n.name.empty()) text += fmt::format(" \"{}\"", n.name);
    text += "(";
    for (size_t k = 0; k < n.inputs.size(); ++k) {
      text += fmt::format("{}%{}", k > 0 ? ", " : "", n.inputs[k].node);
      if (n.inputs[k].output != 0) text += fmt::format(".{}", n.inputs[k].output);
    }
    text += ") :";
    for (const Type& t : n.outputs) text += fmt::format(" {}", t.str());
    if (n.segment >= 0) text += fmt::format("  ; segment {}", n.segment);
    text += "\n";
  }
  for (const Output& o : outputs_)
    text += fmt::format("{} -> %{}.{}\n", o.name, o.value.node, o.value.output);
  return text;
}

}  // namespace bantam
