#include <chrono>
#include <string>
#include <unordered_map>

#include "base/error.h"
#include "base/thread_pool.h"
#include "graph/arena.h"
#include "graph/op.h"
#include "graph/plan.h"

namespace bantam {
namespace {

struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
};

}  // namespace

struct Executor::Impl {
  struct Binding {
    void* data = nullptr;
    int64_t bytes = 0;
  };

  Impl(const Plan& p, ThreadPool& t, std::shared_ptr<Arena> a)
      : plan(p), pool(t), arena(std::move(a)), extents(p.limits().begin(), p.limits().end()) {
    if (!arena) arena = std::make_shared<Arena>(p.arena_bytes());
    BANTAM_ASSERT(arena->bytes() >= p.arena_bytes());
    const Graph& g = plan.graph();
    bindings.resize(static_cast<size_t>(g.size()));
    constants.reserve(static_cast<size_t>(g.size()));
    for (int32_t i = 0; i < g.size(); ++i) {
      const Node& n = g.node(i);
      if (!n.op->leaf) continue;
      if (n.op->name == "constant") {
        constants.push_back(static_cast<float>(n.attributes.real("value")));
        bindings[static_cast<size_t>(i)] = {&constants.back(), sizeof(float)};
      } else {
        leaves.emplace(n.name, i);
      }
    }
    size_t views_needed = 0;
    for (const Plan::Step& s : plan.steps()) views_needed += s.inputs.size() + s.outputs.size();
    views.reserve(views_needed);
    for (const Plan::Step& s : plan.steps()) {
      for (const Value& v : s.inputs) views.push_back(view(v));
      for (const Value& v : s.outputs) views.push_back(view(v));
    }
  }

  TensorView view(Value v) {
    const Type& t = plan.graph().type(v);
    const Plan::Slot& slot = plan.slot(v);
    void* data = slot.kind == Plan::Slot::arena ? arena->at(slot.offset)
                                                : bindings[static_cast<size_t>(slot.leaf)].data;
    return {t.dtype, t.shape.bind(extents), data, t.layout};
  }

  // After extents or bindings changed: every view anew, every leaf checked.
  void refresh() {
    const Graph& g = plan.graph();
    for (const auto& [name, i] : leaves) {
      const Type& t = g.node(i).outputs[0];
      const int64_t need = TensorView{t.dtype, t.shape.bind(extents), nullptr}.bytes();
      const Binding& b = bindings[static_cast<size_t>(i)];
      if (b.data == nullptr || b.bytes < need) {
        fail(ErrorKind::internal, "executor", "leaf \"{}\": expected {} bytes, got {}", name, need,
             b.data == nullptr ? 0 : b.bytes);
      }
    }
    size_t next = 0;
    for (const Plan::Step& s : plan.steps()) {
      for (const Value& v : s.inputs) views[next++] = view(v);
      for (const Value& v : s.outputs) views[next++] = view(v);
    }
    dirty = false;
  }

  int32_t leaf(std::string_view name) const {
    const auto found = leaves.find(name);
    if (found == leaves.end()) {
      fail(ErrorKind::internal, "executor", "expected a leaf of the graph, got \"{}\"", name);
    }
    return found->second;
  }

  const Plan& plan;
  ThreadPool& pool;
  std::shared_ptr<Arena> arena;
  std::vector<int64_t> extents;
  std::vector<Binding> bindings;  // [node]
  std::vector<float> constants;
  std::unordered_map<std::string, int32_t, StringHash, std::equal_to<>> leaves;
  std::vector<TensorView> views;  // inputs then outputs of each step
  bool dirty = true;
  Observer observer = nullptr;
  void* observer_user = nullptr;
};

Executor::Executor(std::shared_ptr<const Plan> plan, ThreadPool& pool, std::shared_ptr<Arena> arena)
    : plan_(std::move(plan)), impl_(std::make_unique<Impl>(*plan_, pool, std::move(arena))) {}

Executor::~Executor() = default;

void Executor::bind(std::string_view leaf, const TensorView& view) {
  const int32_t i = impl_->leaf(leaf);
  const Type& expected = plan_->graph().node(i).outputs[0];
  if (view.dtype != expected.dtype || view.layout != expected.layout) {
    const Type got{view.dtype, view.shape, view.layout};
    fail(ErrorKind::internal, "executor", "leaf \"{}\": expected {}, got {}", leaf, expected.str(),
         got.str());
  }
  impl_->bindings[static_cast<size_t>(i)] = {view.data, view.bytes()};
  impl_->dirty = true;
}

bool Executor::has_leaf(std::string_view leaf) const {
  return impl_->leaves.find(leaf) != impl_->leaves.end();
}

void Executor::set_extent(std::string_view symbol, int64_t value) {
  const auto& symbols = plan_->graph().symbols();
  for (size_t i = 0; i < symbols.size(); ++i) {
    if (symbols[i] != symbol) continue;
    if (value < 1 || value > plan_->limits()[i]) {
      fail(ErrorKind::internal, "executor", "extent \"{}\": expected 1 to {}, got {}", symbol,
           plan_->limits()[i], value);
    }
    if (impl_->extents[i] != value) impl_->dirty = true;
    impl_->extents[i] = value;
    return;
  }
  fail(ErrorKind::internal, "executor", "expected an extent of the graph, got \"{}\"", symbol);
}

void Executor::run() {
  if (impl_->dirty) impl_->refresh();
  const TensorView* views = impl_->views.data();
  for (const Plan::Step& s : plan_->steps()) {
    const std::span<const TensorView> inputs(views, s.inputs.size());
    const std::span<const TensorView> outputs(views + s.inputs.size(), s.outputs.size());
    views += s.inputs.size() + s.outputs.size();
    const Node& node = plan_->graph().node(s.node);
    const StepContext context{inputs, outputs, node.attributes, impl_->arena->at(s.scratch_offset),
                              impl_->pool};
    if (impl_->observer == nullptr) {
      s.kernel.run(context);
      continue;
    }
    const auto start = std::chrono::steady_clock::now();
    s.kernel.run(context);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    impl_->observer(impl_->observer_user, {node, s.node, inputs, outputs, seconds.count()});
  }
}

TensorView Executor::output(std::string_view name) const {
  const Value v = plan_->graph().find_output(name);
  if (!v.defined()) {
    fail(ErrorKind::internal, "executor", "expected an output of the graph, got \"{}\"", name);
  }
  return impl_->view(v);
}

void Executor::observe(Observer observer, void* user) {
  impl_->observer = observer;
  impl_->observer_user = user;
}

}  // namespace bantam
