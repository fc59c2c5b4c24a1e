#include "graph/plan.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "graph/op.h"

namespace bantam {
namespace {

constexpr int64_t kAlignment = 64;
constexpr int32_t kForever = std::numeric_limits<int32_t>::max();

int64_t align(int64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

struct Buffer {
  int64_t bytes = 0;
  int32_t first = 0, last = 0;  // steps during which it is alive
  int64_t offset = 0;
};

// Largest first, each at the lowest offset where nothing alive at the same time stands.
int64_t place(std::vector<Buffer>& buffers) {
  std::vector<size_t> order(buffers.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return buffers[a].bytes > buffers[b].bytes; });
  std::vector<const Buffer*> placed;  // by offset
  int64_t peak = 0;
  for (const size_t i : order) {
    Buffer& b = buffers[i];
    int64_t offset = 0;
    for (const Buffer* other : placed) {
      const bool together = other->first <= b.last && b.first <= other->last;
      if (!together) continue;
      if (offset + b.bytes <= other->offset) break;
      offset = std::max(offset, other->offset + other->bytes);
    }
    b.offset = offset;
    peak = std::max(peak, offset + b.bytes);
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), &b,
                         [](const Buffer* x, const Buffer* y) { return x->offset < y->offset; }),
        &b);
  }
  return peak;
}

// Decides which values share a buffer and for how long each buffer lives.
class Liveness {
 public:
  Liveness(const Graph& g, std::span<const int64_t> limits) : g_(g), limits_(limits) {
    const auto n = static_cast<size_t>(g.size());
    root_.resize(n);
    last_use_.resize(n);
    buffer_.resize(n);
    for (int32_t i = 0; i < g.size(); ++i) prepare(i);
    for (const Graph::Output& o : g.outputs()) {
      const Value r = root(o.value);
      last_use_[static_cast<size_t>(r.node)][static_cast<size_t>(r.output)] = kForever;
    }
    for (int32_t i = 0; i < g.size(); ++i) assign(i);
  }

  // The value whose memory this one is.
  Value root(Value v) const {
    return root_[static_cast<size_t>(v.node)][static_cast<size_t>(v.output)];
  }
  bool is_leaf(Value v) const { return g_.node(root(v)).op->leaf; }
  int32_t buffer(Value v) const {
    const Value r = root(v);
    return buffer_[static_cast<size_t>(r.node)][static_cast<size_t>(r.output)];
  }
  std::vector<Buffer>& buffers() { return buffers_; }

 private:
  void prepare(int32_t i) {
    const Node& n = g_.node(i);
    for (const Value& v : n.inputs) {
      const Value r = root(v);
      last_use_[static_cast<size_t>(r.node)][static_cast<size_t>(r.output)] = i;
    }
    const auto at = static_cast<size_t>(i);
    for (int32_t k = 0; k < static_cast<int32_t>(n.outputs.size()); ++k) {
      const bool aliased = k == 0 && n.op->alias >= 0;
      root_[at].push_back(aliased ? root(n.inputs[static_cast<size_t>(n.op->alias)]) : Value{i, k});
      last_use_[at].push_back(i);
      buffer_[at].push_back(-1);
    }
  }

  int32_t last_use(Value r) const {
    return last_use_[static_cast<size_t>(r.node)][static_cast<size_t>(r.output)];
  }

  void assign(int32_t i) {
    const Node& n = g_.node(i);
    if (n.op->leaf) return;
    for (int32_t k = 0; k < static_cast<int32_t>(n.outputs.size()); ++k) {
      const Value v{i, k};
      if (root(v) != v) continue;
      int32_t b = k == 0 ? reusable(i) : -1;
      if (b < 0) {
        b = static_cast<int32_t>(buffers_.size());
        const Type& t = n.outputs[static_cast<size_t>(k)];
        const Shape shape = t.shape.bind(limits_);
        const int64_t bytes = TensorView{t.dtype, shape, nullptr}.bytes();
        buffers_.push_back({align(bytes), i, i, 0});
      }
      Buffer& buffer = buffers_[static_cast<size_t>(b)];
      buffer.last = std::max(buffer.last, last_use(v));
      buffer_[static_cast<size_t>(i)][static_cast<size_t>(k)] = b;
    }
  }

  // The buffer of an input that dies here and that output 0 may overwrite, or -1.
  int32_t reusable(int32_t i) const {
    const Node& n = g_.node(i);
    for (const int k : {n.op->inplace, n.op->inplace2}) {
      if (k < 0) continue;
      const Value v = n.inputs[static_cast<size_t>(k)], r = root(v);
      const Type &in = g_.type(v), &out = n.outputs[0];
      if (g_.node(r).op->leaf || last_use(r) != i) continue;
      if (in.dtype != out.dtype || !(in.shape.elements() == out.shape.elements())) continue;
      // The buffer may already be shared with a longer-lived value.
      if (buffers_[static_cast<size_t>(buffer(v))].last != i) continue;
      bool read_elsewhere = false;
      for (size_t other = 0; other < n.inputs.size(); ++other) {
        if (static_cast<int>(other) != k && root(n.inputs[other]) == r) read_elsewhere = true;
      }
      if (!read_elsewhere) return buffer(v);
    }
    return -1;
  }

  const Graph& g_;
  std::span<const int64_t> limits_;
  std::vector<std::vector<Value>> root_;
  std::vector<std::vector<int32_t>> last_use_, buffer_;
  std::vector<Buffer> buffers_;
};

std::vector<TensorView> largest_views(const Graph& g, std::span<const Value> values,
                                      std::span<const int64_t> limits) {
  std::vector<TensorView> views;
  for (const Value& v : values) {
    const Type& t = g.type(v);
    views.push_back({t.dtype, t.shape.bind(limits), nullptr, t.layout});
  }
  return views;
}

}  // namespace

Plan::Plan(Graph graph, const Backend& backend, std::vector<int64_t> limits, int threads)
    : graph_(std::move(graph)), limits_(std::move(limits)) {
  BANTAM_ASSERT(limits_.size() == graph_.symbols().size());
  Liveness liveness(graph_, limits_);
  std::vector<Buffer>& buffers = liveness.buffers();
  std::vector<size_t> scratch;  // buffer of each step
  for (int32_t i = 0; i < graph_.size(); ++i) {
    const Node& n = graph_.node(i);
    if (n.op->leaf || n.op->name == "reshape") continue;
    std::vector<Value> outputs;
    for (size_t k = 0; k < n.outputs.size(); ++k) outputs.push_back({i, static_cast<int32_t>(k)});
    const auto in = largest_views(graph_, n.inputs, limits_);
    const auto out = largest_views(graph_, outputs, limits_);
    const auto kernel = backend.bind(n.op->name, n.attributes, in, out, threads);
    if (!kernel) {
      std::string types;
      for (const Value& v : n.inputs) types += fmt::format(" {}", graph_.type(v).str());
      fail(ErrorKind::model, "plan", "expected a kernel for the op \"{}\" on{}, got none",
           n.op->name, types);
    }
    scratch.push_back(buffers.size());
    buffers.push_back({align(kernel->scratch_bytes), i, i, 0});
    steps_.push_back({i, *kernel, 0, n.inputs, std::move(outputs)});
  }
  arena_bytes_ = place(buffers);
  for (size_t s = 0; s < steps_.size(); ++s) steps_[s].scratch_offset = buffers[scratch[s]].offset;

  slots_.resize(static_cast<size_t>(graph_.size()));
  for (int32_t i = 0; i < graph_.size(); ++i) {
    for (int32_t k = 0; k < static_cast<int32_t>(graph_.node(i).outputs.size()); ++k) {
      const Value v{i, k};
      Slot slot;
      if (liveness.is_leaf(v)) {
        slot = {Slot::external, 0, liveness.root(v).node};
      } else {
        slot = {Slot::arena, buffers[static_cast<size_t>(liveness.buffer(v))].offset, -1};
      }
      slots_[static_cast<size_t>(i)].push_back(slot);
    }
  }
}

const Plan::Slot& Plan::slot(Value v) const {
  return slots_[static_cast<size_t>(v.node)][static_cast<size_t>(v.output)];
}

int64_t Plan::leaf_bytes(std::string_view kind, const Plan* besides) const {
  int64_t bytes = 0;
  for (int32_t i = 0; i < graph_.size(); ++i) {
    const Node& n = graph_.node(i);
    if (!n.op->leaf || n.op->name != kind) continue;
    if (besides != nullptr && besides->graph().find_leaf(n.name).defined()) continue;
    bytes += TensorView{n.outputs[0].dtype, n.outputs[0].shape.bind(limits_), nullptr}.bytes();
  }
  return bytes;
}

std::string Plan::str() const {
  std::string text = fmt::format("arena {} bytes, {} steps\n", arena_bytes_, steps_.size());
  for (const Step& s : steps_) {
    const Node& n = graph_.node(s.node);
    text += fmt::format("%{} {}", s.node, n.op->name);
    for (const Value& v : s.outputs) {
      const Slot& at = slot(v);
      text += at.kind == Slot::arena ? fmt::format(" {}@{}", graph_.type(v).str(), at.offset)
                                     : fmt::format(" {}@leaf", graph_.type(v).str());
    }
    if (s.kernel.scratch_bytes > 0) text += fmt::format(" scratch {}", s.kernel.scratch_bytes);
    text += "\n";
  }
  return text;
}

}  // namespace bantam
