#include "runtime/memory_fit.h"

#include <algorithm>

#include "base/error.h"

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
  for (; o.batch >= 1; o.batch /= 2) {
    if (needed(model, o) <= limit) return o.batch;
  }
  return 0;
}

std::string table(const Model& model, const std::vector<MemoryChoice>& choices,
                  const EngineOptions& o) {
  if (choices.empty()) {
    EngineOptions least = o;
    least.context = std::min<int64_t>(kLeastContext, model.config.context_length);
    least.batch = 1;
    return fmt::format("no context fits; the least that this model runs in is {:.1f} MiB",
                       mib(needed(model, least)));
  }
  std::string text = "what would fit:";
  for (const MemoryChoice& c : choices) {
    text += fmt::format("\n  context {:>6}, {} cache: {:>8.1f} MiB", c.context,
                        dtype_info(c.cache_type).name, mib(c.bytes));
  }
  return text;
}

}  // namespace

std::vector<MemoryChoice> memory_choices(const Model& model, EngineOptions o, int64_t limit) {
  std::vector<MemoryChoice> choices;
  for (const DType type : {DType::f32, DType::f16, DType::q8_0, DType::q4_0}) {
    if (!can_cache(model.config, type)) continue;
    o.cache_type = type;
    for (const int64_t context : contexts(model.config.context_length)) {
      o.context = context;
      o.batch = 256;
      o.batch = widest_batch(model, o, limit);
      if (o.batch == 0) continue;
      choices.push_back({context, o.batch, type, needed(model, o)});
      break;
    }
  }
  return choices;
}

EngineOptions fit_memory(const Model& model, EngineOptions o, int64_t limit) {
  const int64_t batch = widest_batch(model, o, limit);
  if (batch > 0) {
    o.batch = batch;
    return o;
  }
  EngineOptions least = o;
  least.batch = 1;
  fail(ErrorKind::resource, model.name,
       "--memory: expected at least {:.1f} MiB, got {:.1f} MiB; {}", mib(needed(model, least)),
       mib(limit), table(model, memory_choices(model, o, limit), o));
}

}  // namespace bantam
