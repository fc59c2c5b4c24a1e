#include "runtime/memory_fit.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "runtime/engine_plans.h"

namespace bantam {
namespace {

constexpr int64_t kLeastContext = 32;

int64_t needed(const Model& model, const EngineOptions& o) {
  return plan_memory(model, o).total();
}

double mib(int64_t bytes) {
  return static_cast<double>(bytes) / (1 << 20);
}

// The model's own context and the powers of two below it.
std::vector<int64_t> contexts(int64_t longest) {
  std::vector<int64_t> all{longest};
  int64_t power = 1;
  while (power * 2 < longest) power *= 2;
  for (; power >= kLeastContext; power /= 2) all.push_back(power);
  return all;
}

// The widest batch that fits; 0 if not even one row does.
int64_t widest_batch(const Model& model, EngineOptions o, int64_t limit) {
  EngineOptions least = o;
  least.batch = 1;
  if (needed(model, least) > limit) return 0;  // most settings, at the cost of one plan
  for (; o.batch >= 1; o.batch /= 2) {
    if (needed(model, o) <= limit) return o.batch;
  }
  return 0;
}

// Whether there is anything to read again from a file, and a plan that allows it.
bool can_stream(const Model& model) {
  return !model.config.reads_source() &&
         std::any_of(model.weights.begin(), model.weights.end(),
                     [](const auto& entry) { return is_streamed(entry.second); });
}

// With as little of the weights in memory as can be.
EngineOptions streamed(EngineOptions o) {
  o.stream = 1;
  return o;
}

std::string table(const Model& model, const std::vector<MemoryChoice>& choices,
                  const EngineOptions& o) {
  if (choices.empty()) {
    EngineOptions least = can_stream(model) ? streamed(o) : o;
    least.context = std::min<int64_t>(kLeastContext, model.config.context_length);
    least.batch = 1;
    return fmt::format("no context fits; the least that this model runs in is {:.1f} MiB",
                       mib(needed(model, least)));
  }
  std::string text = "what would fit:";
  for (const MemoryChoice& c : choices) {
    text += fmt::format("\n  context {:>6}, {} cache: {:>8.1f} MiB{}", c.context,
                        dtype_info(c.cache_type).name, mib(c.bytes),
                        c.streamed ? ", weights streamed" : "");
  }
  return text;
}

}  // namespace

namespace {

// The longest context that fits with these options, if any does.
std::optional<MemoryChoice> longest(const Model& model, EngineOptions o, int64_t limit) {
  for (const int64_t context : contexts(model.config.context_length)) {
    o.context = context;
    o.batch = 256;
    o.batch = widest_batch(model, o, limit);
    if (o.batch == 0) continue;
    return MemoryChoice{context, o.batch, o.cache_type, o.stream > 0, needed(model, o)};
  }
  return std::nullopt;
}

}  // namespace

std::vector<MemoryChoice> memory_choices(const Model& model, EngineOptions o, int64_t limit) {
  std::vector<MemoryChoice> choices;
  for (const DType type : {DType::f32, DType::f16, DType::q8_0, DType::q4_0}) {
    if (!can_cache(model.config, type)) continue;
    o.cache_type = type;
    auto choice = longest(model, o, limit);
    if (!choice && can_stream(model)) choice = longest(model, streamed(o), limit);
    if (choice) choices.push_back(*choice);
  }
  return choices;
}

EngineOptions fit_memory(const Model& model, EngineOptions o, int64_t limit) {
  EngineOptions fitting = o;
  fitting.batch = widest_batch(model, o, limit);
  if (fitting.batch > 0) return fitting;
  const EngineOptions frugal = can_stream(model) ? streamed(o) : o;
  fitting = frugal;
  fitting.batch = widest_batch(model, frugal, limit);
  if (fitting.batch > 0) {
    // Whatever is left reads ahead.
    fitting.stream = least_stream(model, fitting) + limit - needed(model, fitting);
    return fitting;
  }
  EngineOptions least = frugal;
  least.batch = 1;
  fail(ErrorKind::resource, model.name,
       "--memory: expected at least {:.1f} MiB, got {:.1f} MiB; {}", mib(needed(model, least)),
       mib(limit), table(model, memory_choices(model, o, limit), o));
}

}  // namespace bantam
