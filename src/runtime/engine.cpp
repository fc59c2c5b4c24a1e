#include "runtime/engine.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "cpu/quant/head_screen.h"
#include "graph/arena.h"
#include "graph/op.h"
#include "graph/passes.h"
#include "runtime/engine_plans.h"
#include "runtime/kv_cache.h"
#include "runtime/pack.h"
#include "runtime/source_reader.h"
#include "runtime/weight_stream.h"
#include "tensor/layout.h"

namespace bantam {

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
                                     {"slots", &slots_},
                                     {"ends", &ends_},
                                     {"seen_sources", &seen_sources_},
                                     {"seen_ends", &seen_ends_}}) {
    *tensor = Tensor::zeros(DType::i32, {options_.batch});
    if (executor_->has_leaf(name)) executor_->bind(name, tensor->view());
  }
  rows_ = Tensor::zeros(DType::i32, {most_logits(options_)});
  executor_->bind("rows", rows_.view());
  best_ = Tensor::zeros(DType::i32, {most_logits(options_)});
  if (executor_->has_leaf(kBestInput)) executor_->bind(kBestInput, best_.view());
  const Graph& g = plan_->graph();
  cache_ = std::make_unique<KvCache>(g, heavy());
  cache_->bind(*executor_);
  texts_.resize(static_cast<size_t>(options_.sequences));
  for (std::vector<int32_t>& text : texts_) text.reserve(static_cast<size_t>(options_.context));
  span_of_.resize(static_cast<size_t>(options_.sequences));
  result_size_ = g.shape(g.find_output("logits"))[-1].factor;
  std::vector<const Graph*> graphs{&g};
  if (plans.read != nullptr) graphs.push_back(&plans.read->graph());
  take_weights(graphs);
  make_screen(g);
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
// pages of the file around it in memory, and, if the rest of the file is not read again, matrices
// of up to a megabyte, as routers are.
void Engine::take_weights(std::span<const Graph* const> graphs) {
  constexpr int64_t kSmallMatrix = 1 << 20;
  const bool copies_most =
      options_.interleave && can_interleave(model_->main_type()) && !is_packed(*model_);
  const auto is_copied = [&](const Tensor& weight) {
    if (!weight.mapped()) return false;
    if (copies_most) return weight.bytes() <= kSmallMatrix;
    return !is_streamed(weight) && (options_.interleave || options_.stream > 0);
  };
  const auto aligned = [](int64_t bytes) { return (bytes + 63) / 64 * 64; };
  std::vector<std::pair<const Tensor*, TensorView*>> wanted;
  int64_t bytes = 0;
  for (const Graph* g : graphs) {
    for (int32_t i = 0; i < g->size(); ++i) {
      const Node& n = g->node(i);
      if (n.op->name != "weight") continue;
      const auto found = model_->weights.find(n.name);
      if (found == model_->weights.end()) continue;  // a screen
      const Tensor& given = found->second;
      const bool as_wanted = given.layout() == n.outputs[0].layout;
      if (as_wanted && !is_copied(given)) continue;
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

// The screen of the output head, if the graph has one.
void Engine::make_screen(const Graph& g) {
  const Value logits = g.find_output("logits");
  if (!g.find_leaf(kHeadScreen).defined()) return;
  const std::string& name = g.node(g.node(logits).inputs[1]).name;
  const auto own = own_views_.find(name);
  const auto screen = cpu::make_head_screen(
      own != own_views_.end() ? own->second : model_->weights.find(name)->second.view(), pool_);
  head_screen_ = screen.codes;
  head_bounds_ = screen.bounds;
  own_views_[std::string(kHeadScreen)] = head_screen_.view();
  own_views_[std::string(kHeadBounds)] = head_bounds_.view();
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
    if (n.op->name != "state" || cache_->owns(n.name)) continue;
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
    cache_->use_masses(n.name, state.view());
    states_.push_back(state);
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

// What each sequence of a run writes. Throws if it cannot go on there.
void Engine::find_spans(std::span<const Row> rows) {
  spans_.clear();
  std::fill(span_of_.begin(), span_of_.end(), -1);
  for (const Row& r : rows) {
    int32_t& at = span_of_[static_cast<size_t>(r.sequence)];
    if (at < 0) {
      check_can_go_on(r.sequence, r.position);
      at = static_cast<int32_t>(spans_.size());
      spans_.push_back({r.sequence, r.position, r.position});
    }
    PageTable::Span& span = spans_[static_cast<size_t>(at)];
    if (r.position > span.end || (recurrent() && r.position != span.end)) {
      fail(ErrorKind::usage, "engine", "position: expected {} to follow in sequence {}, got {}",
           span.end, r.sequence, r.position);
    }
    if (r.position < span.begin) check_can_go_on(r.sequence, r.position);
    span.begin = std::min<int64_t>(span.begin, r.position);
    span.end = std::max<int64_t>(span.end, r.position + 1);
  }
}

void Engine::remember(std::span<const Row> rows) {
  for (const PageTable::Span& s : spans_)
    texts_[static_cast<size_t>(s.sequence)].resize(static_cast<size_t>(s.end));
  for (const Row& r : rows)
    texts_[static_cast<size_t>(r.sequence)][static_cast<size_t>(r.position)] = r.token;
}

// Where heavy hitters are chosen a run is cut, so that what was before is complete.
size_t Engine::part_end(std::span<const Row> rows, size_t begin) {
  if (options_.cache_heavy == 0) return rows.size();
  std::fill(span_of_.begin(), span_of_.end(), -1);
  for (size_t i = begin; i < rows.size(); ++i) {
    int32_t& seen = span_of_[static_cast<size_t>(rows[i].sequence)];
    if (seen >= 0 && heavy().decides(rows[i].position)) return i;
    seen = 0;
  }
  return rows.size();
}

void Engine::run(std::span<const Row> rows, std::span<float> logits) {
  check(rows, logits);
  const std::lock_guard lock(mutex_);
  if (options_.cache_heavy > 0) find_spans(rows);  // refused as a whole or not at all
  for (size_t begin = 0; begin < rows.size();) {
    const size_t end = part_end(rows, begin);
    const int64_t written = run_part(rows.subspan(begin, end - begin), logits);
    logits = logits.subspan(static_cast<size_t>(written * result_size()));
    begin = end;
  }
}

// Returns how many rows' logits it has written.
int64_t Engine::run_part(std::span<const Row> rows, std::span<float> logits) {
  fill_seen(rows);
  find_spans(rows);
  cache_->write(spans_);
  remember(rows);
  int64_t wanted = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    ids_.as<int32_t>()[i] = rows[i].token;
    sequences_.as<int32_t>()[i] = rows[i].sequence;
    positions_.as<int32_t>()[i] = rows[i].position;
    slots_.as<int32_t>()[i] = static_cast<int32_t>(heavy().slot(rows[i].position));
    if (rows[i].logits) {
      best_.as<int32_t>()[wanted] = rows[i].best;
      rows_.as<int32_t>()[wanted++] = static_cast<int32_t>(i);
    }
  }
  fill_ends(rows);
  // The plan has at least one row of logits; where none is wanted the first row's are not copied.
  if (wanted == 0) {
    rows_.as<int32_t>()[0] = 0;
    best_.as<int32_t>()[0] = 1;
  }
  executor_->set_extent("tokens", static_cast<int64_t>(rows.size()));
  executor_->set_extent("logits", std::max<int64_t>(wanted, 1));
  executor_->run();
  if (wanted > 0) {
    std::memcpy(logits.data(), executor_->output("logits").data,
                static_cast<size_t>(wanted * result_size()) * sizeof(float));
  }
  return wanted;
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
