#include "eval/speed.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/memory.h"
#include "eval/roofline.h"
#include "eval/step_cost.h"

namespace bantam {

void Samples::add(double value) {
  values_.insert(std::upper_bound(values_.begin(), values_.end(), value), value);
}

double Samples::quantile(double p) const {
  if (values_.empty()) return 0;
  const auto last = static_cast<double>(values_.size() - 1);
  return values_[static_cast<size_t>(std::lround(p * last))];
}

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Sequences that all read the same made-up text.
class Driver {
 public:
  Driver(Engine& engine, const SpeedOptions& o)
      : engine_(engine), sequences_(o.sequences), logits_(o.sequences * engine.vocab_size()) {}

  // Encoder-decoders: a source of `count` tokens for each sequence.
  void read(int64_t count) {
    std::vector<int32_t> ids;
    for (int64_t i = 0; i < count; ++i)
      ids.push_back(static_cast<int32_t>(i * 7919 % engine_.vocab_size()));
    for (int32_t s = 0; s < sequences_; ++s) {
      const Engine::SourceText text{s, ids};
      engine_.read(std::span(&text, 1));
    }
  }

  // Makes the sequences stand after `position` tokens, which they may have to read again.
  void go_to(int64_t position) {
    if (!engine_.can_go_on(0, position)) feed(0, position);
  }

  // `count` tokens for each sequence from `position` on, in as few runs as the batch allows; the
  // last one's logits are computed.
  void feed(int64_t position, int64_t count) {
    rows_.clear();
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t s = 0; s < sequences_; ++s) {
        const int64_t token = ((position + i) * 7919 + s * 104729 + 13) % engine_.vocab_size();
        rows_.push_back({static_cast<int32_t>(token), static_cast<int32_t>(s),
                         static_cast<int32_t>(position + i), i + 1 == count, 1});
      }
    }
    const auto most = static_cast<size_t>(engine_.options().batch);
    for (size_t at = 0; at < rows_.size(); at += most) {
      engine_.run(std::span(rows_).subspan(at, std::min(most, rows_.size() - at)), logits_);
    }
  }

 private:
  Engine& engine_;
  int64_t sequences_;
  std::vector<float> logits_;
  std::vector<Engine::Row> rows_;
};

// Within what the model was made for: depth, then prompt, give way to the generated tokens.
SpeedOptions fit(SpeedOptions o, int64_t context) {
  o.tokens = std::min(o.tokens, context - 1);
  o.prompt = std::min(o.prompt, context - o.tokens);
  o.depth = std::min(o.depth, context - o.tokens - o.prompt);
  return o;
}

struct Traffic {
  const Graph* graph = nullptr;
  int64_t bytes = 0;
};

// Weights and cache that one step of decoding reads, per token.
double decode_bytes(Engine& engine, Driver& driver, const SpeedOptions& o, int64_t first) {
  driver.go_to(first + o.tokens / 2);
  Traffic traffic{&engine.plan().graph(), 0};
  engine.observe(
      [](void* user, const Executor::Observation& step) {
        auto* t = static_cast<Traffic*>(user);
        const StepCost cost = cost_of(*t->graph, step);
        t->bytes += cost.weight_bytes + cost.cache_bytes;
      },
      &traffic);
  driver.feed(first + o.tokens / 2, 1);
  engine.observe(nullptr, nullptr);
  return static_cast<double>(traffic.bytes) / static_cast<double>(o.sequences);
}

// Multiplications and additions of products with quantised weights for each token of the prompt.
double prompt_operations(Engine& engine, Driver& driver, const SpeedOptions& o) {
  struct Operations {
    const Graph* graph = nullptr;
    double count = 0;
  };
  driver.go_to(o.depth);
  Operations operations{&engine.plan().graph(), 0};
  engine.observe(
      [](void* user, const Executor::Observation& step) {
        auto* all = static_cast<Operations*>(user);
        const bool quantised = !step.inputs.empty() && step.inputs[0].dtype == DType::q8a;
        if (quantised) all->count += cost_of(*all->graph, step).operations;
      },
      &operations);
  driver.feed(o.depth, o.prompt);
  engine.observe(nullptr, nullptr);
  return operations.count / static_cast<double>(o.prompt * o.sequences);
}

// Decodes from `first` on, again and again, for as long as was asked.
std::vector<Period> sustain(Driver& driver, const SpeedOptions& o, int64_t first) {
  constexpr double kPeriods = 30;
  const double length = std::max(1.0, o.sustain_seconds / kPeriods);
  std::vector<Period> periods;
  const auto start = Clock::now();
  int64_t at = 0;
  for (double begin = 0; begin < o.sustain_seconds;) {
    int64_t tokens = 0;
    double now = begin;
    while (now < begin + length) {
      if (at == o.tokens) {
        at = 0;
        driver.go_to(first);
      }
      driver.feed(first + at++, 1);
      ++tokens;
      now = seconds_since(start);
    }
    periods.push_back({begin, static_cast<double>(tokens * o.sequences) / (now - begin)});
    begin = now;
    if (o.on_sustained) o.on_sustained(std::min(1.0, now / o.sustain_seconds));
  }
  return periods;
}

}  // namespace

Speed measure_speed(const std::shared_ptr<const Model>& model, const SpeedOptions& options) {
  Speed result;
  const SpeedOptions o = result.options = fit(options, model->config.context_length);
  EngineOptions engine_options;
  engine_options.threads = o.threads;
  engine_options.cache_type = o.cache_type;
  engine_options.sequences = o.sequences;
  // An encoder-decoder's prompt is its source.
  const bool reads_source = model->config.reads_source();
  const int64_t first = reads_source ? o.depth : o.depth + o.prompt;  // that is generated
  engine_options.context = first + o.tokens;
  engine_options.source_context = o.prompt;
  engine_options.interleave = o.interleave;
  engine_options.screened_head = o.screened_head;
  const auto begin = Clock::now();
  Engine engine(model, engine_options);
  result.start_seconds = seconds_since(begin);
  result.threads = engine.threads();
  result.memory = engine.memory();
  Driver driver(engine, o);
  if (reads_source) driver.read(o.prompt);
  if (o.depth > 0) driver.feed(0, o.depth);
  const auto total = [&](int64_t tokens) { return static_cast<double>(tokens * o.sequences); };
  for (int64_t r = -1; r < o.repetitions; ++r) {  // the first only warms up
    driver.go_to(o.depth);
    auto start = Clock::now();
    reads_source ? driver.read(o.prompt) : driver.feed(o.depth, o.prompt);
    const double prefill = seconds_since(start);
    start = Clock::now();
    for (int64_t i = 0; i < o.tokens; ++i) {
      const auto step = Clock::now();
      driver.feed(first + i, 1);
      if (r >= 0) result.token_seconds.add(seconds_since(step));
    }
    const double decode = seconds_since(start);
    if (r < 0) continue;
    result.prefill.add(total(o.prompt) / prefill);
    result.decode.add(total(o.tokens) / decode);
    result.first_token_seconds.add(prefill);
  }
  if (o.sustain_seconds > 0) result.sustained = sustain(driver, o, first);
  if (!reads_source) result.prefill_operations = prompt_operations(engine, driver, o);
  result.bytes_per_token = decode_bytes(engine, driver, o, first);
  result.peak_bytes = peak_resident_bytes();
  ThreadPool pool(engine.threads());
  const auto step_bytes = static_cast<int64_t>(result.bytes_per_token * total(1));
  result.read_bandwidth = read_bandwidth(pool, step_bytes);
  if (result.read_bandwidth > 0) {
    result.roofline_fraction =
        result.decode.median() * result.bytes_per_token / result.read_bandwidth;
  }
  if (result.prefill_operations > 0) {
    result.product_peak = byte_product_peak(pool);
    result.prefill_roofline_fraction =
        result.prefill.median() * result.prefill_operations / result.product_peak;
  }
  return result;
}

}  // namespace bantam
