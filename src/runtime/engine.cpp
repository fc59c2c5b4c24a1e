#include "runtime/engine.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "graph/arena.h"
#include "graph/op.h"
#include "runtime/engine_plans.h"
#include "runtime/source_reader.h"
#include "runtime/weight_stream.h"
#include "tensor/layout.h"

namespace bantam {
namespace {

// Whether a state is a cache of keys or values: rows are written to cells of their positions.
bool has_cells(const Graph& g, int32_t state) {
  for (int32_t i = 0; i < g.size(); ++i) {
    const Node& n = g.node(i);
    if (n.op->name == "cache_write" && n.inputs[0].node == state) return true;
  }
  return false;
}

}  // namespace

Engine::Engine(std::shared_ptr<const Model> model, EngineOptions options)
    : model_(std::move(model)), options_(complete(*model_, options)), pool_(options_.threads) {
  const EnginePlans plans = make_engine_plans(*model_, options_, pool_.size());
  plan_ = plans.run;
  memory_ = memory_of(plans, *model_, options_);
  const auto arena = std::make_shared<Arena>(memory_.activations);
  executor_ = std::make_unique<Executor>(plan_, pool_, arena);
  for (const auto& [name, tensor] : {std::pair{"ids", &ids_},
                                     {"sequences", &sequences_},
                                     {"positions", &positions_},
                                     {"ends", &ends_},
                                     {"seen_sources", &seen_sources_},
                                     {"seen_ends", &seen_ends_}}) {
    *tensor = Tensor::zeros(DType::i32, {options_.batch});
    if (executor_->has_leaf(name)) executor_->bind(name, tensor->view());
  }
  rows_ = Tensor::zeros(DType::i32, {most_logits(options_)});
  executor_->bind("rows", rows_.view());
  const Graph& g = plan_->graph();
  result_size_ = g.shape(g.find_output("logits"))[-1].factor;
  std::vector<const Graph*> graphs{&g};
  if (plans.read != nullptr) graphs.push_back(&plans.read->graph());
  take_weights(graphs);
  if (plans.read != nullptr) {
    reader_ = std::make_unique<SourceReader>(plans.read, options_, pool_, arena);
    bind_model(plans.read->graph(), reader_->executor());
    source_lengths_.resize(static_cast<size_t>(options_.sources));
    for (int32_t i = 0; i < options_.sequences; ++i)
      seen_by_.push_back(i < options_.sources ? i : 0);
  }
  bind_model(g, *executor_);
  if (options_.stream > 0) {
    stream_ = std::make_unique<WeightStream>(*plan_, *model_, options_.stream);
    observe(nullptr, nullptr);
  }
}

// Weights that a graph wants interleaved and the model has otherwise, in one block of large pages
// and in the order in which they are used; with them norms and biases, each of which would keep
// pages of the file around it in memory.
void Engine::take_weights(std::span<const Graph* const> graphs) {
  const auto aligned = [](int64_t bytes) { return (bytes + 63) / 64 * 64; };
  std::vector<std::pair<const Tensor*, TensorView*>> wanted;
  int64_t bytes = 0;
  for (const Graph* g : graphs) {
    for (int32_t i = 0; i < g->size(); ++i) {
      const Node& n = g->node(i);
      if (n.op->name != "weight") continue;
      const Tensor& given = model_->weights.find(n.name)->second;
      const bool as_wanted = given.layout() == n.outputs[0].layout;
      const bool small =
          given.mapped() && !is_streamed(given) && (options_.interleave || options_.stream > 0);
      if (as_wanted && !small) continue;
      const auto [view, is_new] = own_views_.try_emplace(n.name, given.view());
      if (!is_new) continue;
      view->second.layout = n.outputs[0].layout;
      wanted.emplace_back(&given, &view->second);
      bytes += aligned(given.bytes());
    }
  }
  own_weights_ = Tensor::zeros(DType::i8, {bytes});
  use_large_pages({own_weights_.as<std::byte>(), static_cast<size_t>(bytes)});
  auto* place = own_weights_.as<std::byte>();
  // Reading a tensor also maps what lies around it, of others that were let go before.
  constexpr int64_t kMostMapped = 4 << 20, kAround = 1 << 17;
  int64_t mapped = 0;
  for (const auto& [given, view] : wanted) {
    if (view->layout == given->layout()) {
      std::memcpy(place, given->data(), static_cast<size_t>(given->bytes()));
    } else {
      bantam::interleave(*given, place, pool_);
    }
    view->data = place;
    place += aligned(given->bytes());
    mapped += given->bytes() + kAround;
    if (mapped < kMostMapped && given != wanted.back().first) continue;
    for (const auto& [read, unused] : wanted) read->let_go(0, read->bytes());
    mapped = 0;
  }
}

// Weights and states; a state that the reader has too holds sources.
void Engine::bind_model(const Graph& g, Executor& executor) {
  for (int32_t i = 0; i < g.size(); ++i) {
    const Node& n = g.node(i);
    const Type& type = n.outputs[0];
    if (n.op->name == "weight") {
      const auto own = own_views_.find(n.name);
      executor.bind(n.name, own != own_views_.end() ? own->second
                                                    : model_->weights.find(n.name)->second.view());
    }
    if (n.op->name != "state") continue;
    if (const auto found = source_states_.find(n.name); found != source_states_.end()) {
      executor.bind(n.name, found->second.view());
      continue;
    }
    const Tensor state = Tensor::zeros(type.dtype, type.shape.bind({}), type.layout);
    executor.bind(n.name, state.view());
    if (&executor != executor_.get()) {
      source_states_[n.name] = state;
      continue;
    }
    states_.push_back({state, has_cells(g, i)});
    if (!states_.back().cells) next_.resize(static_cast<size_t>(options_.sequences));
  }
}

Engine::~Engine() = default;

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

// Which source each row looks at, and how far it goes.
void Engine::fill_seen(std::span<const Row> rows) {
  if (reader_ == nullptr) return;
  for (size_t i = 0; i < rows.size(); ++i) {
    const int32_t source = seen_by_[static_cast<size_t>(rows[i].sequence)];
    const int32_t length = source_lengths_[static_cast<size_t>(source)];
    if (length == 0) {
      fail(ErrorKind::usage, "engine",
           "expected a source text before the tokens of sequence {} of the encoder-decoder \"{}\", "
           "got none",
           rows[i].sequence, model_->config.architecture);
    }
    seen_sources_.as<int32_t>()[i] = source;
    seen_ends_.as<int32_t>()[i] = length - 1;
  }
}

void Engine::read(std::span<const SourceText> texts) {
  if (reader_ == nullptr) {
    fail(ErrorKind::model, model_->name,
         "expected an encoder-decoder such as t5, which reads a source text, got \"{}\"",
         model_->config.architecture);
  }
  const std::lock_guard lock(mutex_);
  reader_->read(texts, vocab_size());
  for (const SourceText& text : texts) {
    source_lengths_[static_cast<size_t>(text.source)] = static_cast<int32_t>(text.ids.size());
  }
}

void Engine::look_at(int32_t sequence, int32_t source) {
  check_sequence(sequence);
  if (reader_ == nullptr || source < 0 || source >= options_.sources) {
    fail(ErrorKind::usage, "engine", "source: expected one of the {} of an encoder-decoder, got {}",
         reader_ == nullptr ? 0 : options_.sources, source);
  }
  const std::lock_guard lock(mutex_);
  seen_by_[static_cast<size_t>(sequence)] = source;
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

void Engine::copy(int32_t from, int32_t to, int64_t length) {
  check_sequence(from);
  check_sequence(to);
  if (length < 0 || length > options_.context) {
    fail(ErrorKind::usage, "engine", "length: expected 0 to {} (the context), got {}",
         options_.context, length);
  }
  if (from == to) return;
  const std::lock_guard lock(mutex_);
  for (const State& state : states_) {
    const auto source = state.of(from, length);
    std::copy(source.begin(), source.end(), state.of(to, length).begin());
  }
  if (recurrent()) next_[static_cast<size_t>(to)] = next_[static_cast<size_t>(from)];
  if (reader_ != nullptr) seen_by_[static_cast<size_t>(to)] = seen_by_[static_cast<size_t>(from)];
}

void Engine::run(std::span<const Row> rows, std::span<float> logits) {
  check(rows, logits);
  const std::lock_guard lock(mutex_);
  fill_seen(rows);
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
  if (stream_ == nullptr) return executor_->observe(observer, user);
  observer_ = observer;
  observer_user_ = user;
  executor_->observe(
      [](void* self, const Executor::Observation& step) {
        Engine& engine = *static_cast<Engine*>(self);
        engine.stream_->finished(step.index);
        if (engine.observer_ != nullptr) engine.observer_(engine.observer_user_, step);
      },
      this);
}

}  // namespace bantam
