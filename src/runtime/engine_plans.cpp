#include "runtime/engine_plans.h"

#include <algorithm>

#include "base/error.h"
#include "base/memory.h"
#include "cpu/backend.h"
#include "graph/op.h"
#include "graph/passes.h"
#include "runtime/inference_graph.h"
#include "runtime/weight_stream.h"

namespace bantam {
namespace {

using Part = BuildOptions::Part;

Graph with_screened_head(const Graph& g, const Model& model) {
  if (auto screened = screen_head(g)) return *std::move(screened);
  const Node& head = g.node(g.find_output("logits"));
  const std::string_view type =
      head.op->name == "linear" ? dtype_info(g.dtype(head.inputs[1])).name : head.op->name;
  fail(ErrorKind::model, model.name,
       "screened head: expected logits that come from a matrix in q8_0 or q6_k, got them from {}",
       type);
}

// Of blocks that see all of a text, there has to be one.
void expect_masses(const Graph& g, const Model& model) {
  for (int32_t i = 0; i < g.size(); ++i)
    if (g.node(i).op->name == "attention_mass") return;
  fail(ErrorKind::usage, "engine",
       "cache heavy: expected a model with attention to all of a text before a token, got \"{}\"",
       model.config.architecture);
}

std::shared_ptr<const Plan> make_plan(const Model& model, const EngineOptions& o, int threads,
                                      Part part) {
  std::vector<int64_t> limits{o.batch, most_logits(o)};
  if (part == Part::encoder) limits = {most_source_tokens(o)};
  Graph g = inference_graph(model, o, part);
  if (o.cache_heavy > 0) expect_masses(g, model);
  g = optimize(std::move(g), false);
  if (o.screened_head && part != Part::encoder) g = with_screened_head(g, model);
  return std::make_shared<Plan>(std::move(g), cpu_backend(), std::move(limits), threads);
}

void check_heavy(const Model& model, const EngineOptions& o) {
  if (o.cache_heavy == 0) return;
  if (o.cache_window == 0) {
    fail(ErrorKind::usage, "engine", "cache heavy: expected a cache window beside it, got none");
  }
  if (o.cache_cells > 0) {
    fail(ErrorKind::usage, "engine",
         "cache heavy: expected pages for all sequences (cache cells 0), got {} cells",
         o.cache_cells);
  }
  if (model.config.reads_source()) {
    fail(ErrorKind::usage, "engine", "cache heavy: expected a decoder, got \"{}\"",
         model.config.architecture);
  }
}

int threads_of(const EngineOptions& o) {
  return o.threads > 0 ? o.threads : ThreadPool::default_size();
}

}  // namespace

bool can_cache(const ModelConfig& c, DType type) {
  const int64_t block = dtype_info(type).block_length;
  const LatentAttention& latent = c.latent;
  for (const int64_t size : {c.head_size, c.value_size, latent.key_size, latent.value_size}) {
    if (size % block != 0) return false;
  }
  return true;
}

EngineOptions complete(const Model& model, EngineOptions o) {
  if (o.context == 0) o.context = model.config.context_length;
  if (o.source_context == 0) o.source_context = o.context;
  if (o.sources == 0) o.sources = o.sequences;
  const auto positive = [](std::string_view name, int64_t value) {
    if (value < 1) fail(ErrorKind::usage, "engine", "{}: expected at least 1, got {}", name, value);
  };
  positive("context", o.context);
  positive("sequences", o.sequences);
  positive("batch", o.batch);
  positive("source context", o.source_context);
  positive("sources", o.sources);
  o.batch = std::min(o.batch, o.context * o.sequences);
  if (o.stream > 0) {
    o.interleave = false;  // a copy would be in memory
    if (o.screened_head) {
      fail(ErrorKind::usage, "engine",
           "expected a full head where weights are streamed, got a screened one");
    }
    if (model.config.reads_source()) {
      fail(ErrorKind::usage, "engine", "expected a decoder to stream the weights of, got \"{}\"",
           model.config.architecture);
    }
  }
  for (const auto& [name, value] : {std::pair{"cache cells", o.cache_cells},
                                    {"cache window", o.cache_window},
                                    {"cache sinks", o.cache_sinks},
                                    {"cache heavy", o.cache_heavy}}) {
    if (value < 0) fail(ErrorKind::usage, "engine", "{}: expected at least 0, got {}", name, value);
  }
  check_heavy(model, o);
  if (o.cache_heavy > 0) o.cache_sinks = 0;
  o.cache_sinks = (o.cache_sinks + kPageCells - 1) / kPageCells * kPageCells;
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

// At least one source goes in whole.
int64_t most_source_tokens(const EngineOptions& o) {
  return std::clamp(o.batch, o.source_context, o.source_context * o.sources);
}

EnginePlans make_engine_plans(const Model& model, const EngineOptions& o, int threads) {
  if (!model.config.reads_source()) return {make_plan(model, o, threads, Part::whole), nullptr};
  return {make_plan(model, o, threads, Part::decoder), make_plan(model, o, threads, Part::encoder)};
}

bool is_streamed(const Tensor& weight) {
  constexpr int64_t kSmallWeight = 1 << 15;
  return weight.mapped() && weight.bytes() > kSmallWeight;
}

MemoryPlan memory_of(const EnginePlans& plans, const Model& model, const EngineOptions& o) {
  const auto bytes = [&](std::string_view kind) {
    return plans.run->leaf_bytes(kind) +
           (plans.read != nullptr ? plans.read->leaf_bytes(kind, plans.run.get()) : 0);
  };
  // The two take turns in one arena.
  const int64_t arena = std::max(plans.run->arena_bytes(),
                                 plans.read != nullptr ? plans.read->arena_bytes() : int64_t{0});
  int64_t weights = bytes("weight");
  if (o.stream > 0) {
    const WeightStream::Need need = WeightStream::need(*plans.run, model);
    weights += WeightStream::window(need, o.stream) + WeightStream::kAround - need.all;
  }
  const int64_t texts = o.sequences * o.context * static_cast<int64_t>(sizeof(int32_t));
  return {weights, bytes("state"), arena, bytes("input") + texts, resident_bytes()};
}

int64_t least_stream(const Model& model, const EngineOptions& options) {
  const EngineOptions o = complete(model, options);
  return WeightStream::need(*make_engine_plans(model, o, threads_of(o)).run, model).least;
}

MemoryPlan plan_memory(const Model& model, EngineOptions options) {
  const EngineOptions o = complete(model, options);
  const int threads = threads_of(o);
  return memory_of(make_engine_plans(model, o, threads), model, o);
}

}  // namespace bantam
