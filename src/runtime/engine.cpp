#include "runtime/engine.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "cpu/backend.h"
#include "graph/op.h"
#include "graph/passes.h"
#include "runtime/inference_graph.h"
#include "tensor/layout.h"

namespace bantam {

// Whether keys and values of this model are whole blocks of the type.
bool can_cache(const ModelConfig& c, DType type) {
  const int64_t block = dtype_info(type).block_length;
  const LatentAttention& latent = c.latent;
  for (const int64_t size : {c.head_size, c.value_size, latent.key_size, latent.value_size}) {
    if (size % block != 0) return false;
  }
  return true;
}

namespace {

EngineOptions complete(const Model& model, EngineOptions o) {
  if (o.context == 0) o.context = model.config.context_length;
  const auto positive = [](std::string_view name, int64_t value) {
    if (value < 1) fail(ErrorKind::usage, "engine", "{}: expected at least 1, got {}", name, value);
  };
  positive("context", o.context);
  positive("sequences", o.sequences);
  positive("batch", o.batch);
  o.batch = std::min(o.batch, o.context * o.sequences);
  if (!can_cache(model.config, o.cache_type)) {
    fail(ErrorKind::usage, "engine",
         "cache type {}: expected heads of a multiple of {}, which this model does not have",
         dtype_info(o.cache_type).name, dtype_info(o.cache_type).block_length);
  }
  return o;
}

int64_t most_logits(const EngineOptions& o) {
  return o.all_logits ? o.batch : std::min(o.batch, o.sequences);
}

std::shared_ptr<const Plan> make_plan(const Model& model, const EngineOptions& o, int threads) {
  std::vector<int64_t> limits{o.batch, most_logits(o)};
  return std::make_shared<Plan>(optimize(inference_graph(model, o), false), cpu_backend(),
                                std::move(limits), threads);
}

MemoryPlan memory_of(const Plan& plan) {
  return {plan.leaf_bytes("weight"), plan.leaf_bytes("state"), plan.arena_bytes(),
          plan.leaf_bytes("input"), resident_bytes()};
}

// Whether a state is a cache of keys or values: rows are written to cells of their positions.
bool has_cells(const Graph& g, int32_t state) {
  for (int32_t i = 0; i < g.size(); ++i) {
    const Node& n = g.node(i);
    if (n.op->name == "cache_write" && n.inputs[0].node == state) return true;
  }
  return false;
}

Tensor index_tensor(int64_t n) {
  return Tensor::zeros(DType::i32, {n});
}

}  // namespace

MemoryPlan plan_memory(const Model& model, EngineOptions options) {
  const EngineOptions o = complete(model, options);
  const int threads = o.threads > 0 ? o.threads : ThreadPool::default_size();
  return memory_of(*make_plan(model, o, threads));
}

Engine::Engine(std::shared_ptr<const Model> model, EngineOptions options)
    : model_(std::move(model)), options_(complete(*model_, options)), pool_(options_.threads) {
  plan_ = make_plan(*model_, options_, pool_.size());
  memory_ = memory_of(*plan_);
  ids_ = index_tensor(options_.batch);
  sequences_ = index_tensor(options_.batch);
  positions_ = index_tensor(options_.batch);
  ends_ = index_tensor(options_.batch);
  rows_ = index_tensor(most_logits(options_));
  executor_ = std::make_unique<Executor>(plan_, pool_);
  executor_->bind("ids", ids_.view());
  executor_->bind("sequences", sequences_.view());
  executor_->bind("positions", positions_.view());
  executor_->bind("rows", rows_.view());
  if (executor_->has_leaf("ends")) executor_->bind("ends", ends_.view());
  bind_weights();
  const Graph& g = plan_->graph();
  result_size_ = g.shape(g.find_output("logits"))[-1].factor;
  for (int32_t i = 0; i < g.size(); ++i) {
    const Node& n = g.node(i);
    if (n.op->name == "state") {
      const Type& type = n.outputs[0];
      const Tensor state = Tensor::zeros(type.dtype, type.shape.bind({}), type.layout);
      executor_->bind(n.name, state.view());
      states_.push_back({state, has_cells(g, i)});
      if (!states_.back().cells) next_.resize(static_cast<size_t>(options_.sequences));
    }
  }
}

Engine::~Engine() = default;

// Those that the model has in another layout are interleaved into one block of large pages.
void Engine::bind_weights() {
  const Graph& g = plan_->graph();
  const auto aligned = [](int64_t bytes) { return (bytes + 63) / 64 * 64; };
  struct Leaf {
    const Node& node;
    const Tensor& given;
    [[nodiscard]] bool as_given() const { return given.layout() == node.outputs[0].layout; }
  };
  std::vector<Leaf> leaves;
  int64_t bytes = 0;
  for (int32_t i = 0; i < g.size(); ++i) {
    if (g.node(i).op->name != "weight") continue;
    leaves.push_back({g.node(i), model_->weights.find(g.node(i).name)->second});
    if (!leaves.back().as_given()) bytes += aligned(leaves.back().given.bytes());
  }
  interleaved_ = Tensor::zeros(DType::i8, {bytes});
  use_large_pages({interleaved_.as<std::byte>(), static_cast<size_t>(bytes)});
  auto* place = interleaved_.as<std::byte>();
  for (const Leaf& leaf : leaves) {
    TensorView view = leaf.given.view();
    if (!leaf.as_given()) {
      interleave(leaf.given, place, pool_);
      view.data = place;
      view.layout = Layout::interleaved;
      place += aligned(leaf.given.bytes());
    }
    executor_->bind(leaf.node.name, view);
  }
}

void Engine::check(std::span<const Row> rows, std::span<const float> logits) const {
  if (rows.empty() || static_cast<int64_t>(rows.size()) > options_.batch) {
    fail(ErrorKind::usage, "engine", "expected 1 to {} tokens in a run, got {}", options_.batch,
         rows.size());
  }
  int64_t wanted = 0;
  for (const Row& r : rows) {
    if (r.token < 0 || r.token >= vocab_size()) {
      fail(ErrorKind::usage, "engine", "token: expected an id from 0 to {}, got {}",
           vocab_size() - 1, r.token);
    }
    check_sequence(r.sequence);
    if (r.position < 0 || r.position >= options_.context) {
      fail(ErrorKind::usage, "engine", "position: expected 0 to {} (the context), got {}",
           options_.context - 1, r.position);
    }
    wanted += r.logits ? 1 : 0;
  }
  if (wanted > most_logits(options_) ||
      static_cast<int64_t>(logits.size()) < wanted * result_size()) {
    fail(ErrorKind::usage, "engine", "expected room for the logits of {} rows (at most {}), got {}",
         wanted, most_logits(options_), logits.size() / static_cast<size_t>(result_size()));
  }
}

// The last position of each row's sequence in this run.
void Engine::fill_ends(std::span<const Row> rows) {
  if (model_->config.causal) return;
  std::vector<int32_t> last(static_cast<size_t>(options_.sequences), 0);
  for (const Row& r : rows) {
    int32_t& end = last[static_cast<size_t>(r.sequence)];
    end = std::max(end, r.position);
  }
  for (size_t i = 0; i < rows.size(); ++i)
    ends_.as<int32_t>()[i] = last[static_cast<size_t>(rows[i].sequence)];
}

void Engine::check_sequence(int32_t sequence) const {
  if (sequence >= 0 && sequence < options_.sequences) return;
  fail(ErrorKind::usage, "engine", "sequence: expected 0 to {}, got {}", options_.sequences - 1,
       sequence);
}

// Notes where the sequences of a recurrent model will stand; nothing, if a row cannot be next.
void Engine::advance(std::span<const Row> rows) {
  std::vector<int32_t> next = next_;
  for (const Row& r : rows) {
    int32_t& expected = next[static_cast<size_t>(r.sequence)];
    if (r.position != 0 && r.position != expected) {
      fail(ErrorKind::usage, "engine",
           "position: expected {} in sequence {} (where the state of this recurrent model stands) "
           "or 0, got {}",
           expected, r.sequence, r.position);
    }
    expected = r.position + 1;
  }
  next_ = std::move(next);
}

std::span<std::byte> Engine::State::of(int32_t sequence, int64_t length) const {
  const Shape& shape = tensor.shape();
  const int64_t bytes = tensor.bytes() / shape[0];
  // Of interleaved cells, whole groups.
  const int64_t group = tensor.layout() == Layout::interleaved ? kInterleavedRows : 1;
  const int64_t stored = (length + group - 1) / group * group;
  const int64_t used = cells ? bytes / shape[1] * stored : bytes;
  return {tensor.as<std::byte>() + sequence * bytes, static_cast<size_t>(used)};
}

Engine::Memory Engine::save(int32_t sequence, int64_t length) const {
  check_sequence(sequence);
  const std::lock_guard lock(mutex_);
  if (recurrent() && length != 0 && length != next_[static_cast<size_t>(sequence)]) {
    fail(ErrorKind::usage, "engine", "length: expected all {} tokens of a recurrent model, got {}",
         next_[static_cast<size_t>(sequence)], length);
  }
  Memory memory{length, {}};
  for (const State& state : states_) {
    const auto bytes = state.of(sequence, length);
    memory.states.emplace_back(bytes.begin(), bytes.end());
  }
  return memory;
}

void Engine::restore(int32_t sequence, const Memory& memory) {
  check_sequence(sequence);
  const std::lock_guard lock(mutex_);
  bool fits = memory.length <= options_.context && memory.states.size() == states_.size();
  for (size_t i = 0; fits && i < states_.size(); ++i) {
    fits = memory.states[i].size() == states_[i].of(sequence, memory.length).size();
  }
  if (!fits) {
    fail(ErrorKind::usage, "engine",
         "expected a memory of an engine with the same model and cache");
  }
  for (size_t i = 0; i < states_.size(); ++i) {
    std::copy(memory.states[i].begin(), memory.states[i].end(),
              states_[i].of(sequence, memory.length).begin());
  }
  if (recurrent()) {
    next_[static_cast<size_t>(sequence)] = static_cast<int32_t>(memory.length);
  }
}

void Engine::run(std::span<const Row> rows, std::span<float> logits) {
  check(rows, logits);
  const std::lock_guard lock(mutex_);
  if (recurrent()) advance(rows);
  int64_t wanted = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    ids_.as<int32_t>()[i] = rows[i].token;
    sequences_.as<int32_t>()[i] = rows[i].sequence;
    positions_.as<int32_t>()[i] = rows[i].position;
    if (rows[i].logits) rows_.as<int32_t>()[wanted++] = static_cast<int32_t>(i);
  }
  fill_ends(rows);
  // The plan has at least one row of logits; where none is wanted the first row's are not copied.
  if (wanted == 0) rows_.as<int32_t>()[0] = 0;
  executor_->set_extent("tokens", static_cast<int64_t>(rows.size()));
  executor_->set_extent("logits", std::max<int64_t>(wanted, 1));
  executor_->run();
  if (wanted > 0) {
    std::memcpy(logits.data(), executor_->output("logits").data,
                static_cast<size_t>(wanted * result_size()) * sizeof(float));
  }
}

void Engine::observe(Executor::Observer observer, void* user) {
  executor_->observe(observer, user);
}

}  // namespace bantam
