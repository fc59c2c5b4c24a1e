#include "eval/profile.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "base/error.h"
#include "eval/logits.h"
#include "eval/step_cost.h"
#include "graph/op.h"

namespace bantam {
namespace {

using Clock = std::chrono::steady_clock;

// "blk.12.ffn_down" and "blk.3.ffn_down" are one kind of step.
std::string without_block(const std::string& label) {
  const size_t block = label.starts_with("dec.blk.") ? 8 : label.starts_with("blk.") ? 4 : 0;
  const size_t dot = block > 0 ? label.find('.', block) : std::string::npos;
  return dot == std::string::npos ? label : label.substr(dot + 1);
}

// All runs are alike: names and costs of the steps are found in a first one, and later runs only
// take times, so that what lies between steps is not the measuring itself.
struct Recorder {
  const Graph* graph = nullptr;
  Clock::time_point start;
  struct Step {
    std::string label;
    std::string_view op;
    StepCost cost;
    double seconds = 0;               // of all runs
    double last_start = 0, last = 0;  // of the last
  };
  std::vector<Step> steps;
  size_t next = 0;
  bool learning = true;

  void record(const Executor::Observation& observed) {
    if (learning) {
      steps.push_back(
          {label_of(*graph, observed), observed.node.op->name, cost_of(*graph, observed)});
      return;
    }
    Step& step = steps[next++];
    step.seconds += observed.seconds;
    step.last = observed.seconds;
    step.last_start =
        std::chrono::duration<double>(Clock::now() - start).count() - observed.seconds;
  }

  void begin() {
    learning = false;
    next = 0;
    start = Clock::now();
  }

  void report(int64_t runs, Profile* profile) const {
    std::map<std::pair<std::string_view, std::string>, ProfileRow> rows;
    for (const Step& step : steps) {
      const std::string label = without_block(step.label);
      ProfileRow& row = rows[{step.op, label}];
      row.op = step.op;
      row.label = label;
      row.runs += runs;
      row.seconds += step.seconds;
      row.bytes += static_cast<double>(runs * step.cost.bytes);
      row.operations += static_cast<double>(runs) * step.cost.operations;
      profile->step_seconds += step.seconds;
      profile->last_run.push_back({step.label, step.op, step.last_start, step.last});
    }
    for (const auto& [unused, row] : rows) profile->rows.push_back(row);
  }
};

}  // namespace

Profile profile(const std::shared_ptr<const Model>& model, const ProfileOptions& options) {
  const int64_t context = model->config.context_length;
  const int64_t tokens = std::clamp<int64_t>(options.tokens, 1, context);
  const int64_t depth = std::clamp<int64_t>(options.depth, 0, context - tokens);
  EngineOptions o;
  o.threads = options.threads;
  o.cache_type = options.cache_type;
  o.context = depth + tokens;
  o.batch = std::max<int64_t>(tokens, std::min<int64_t>(256, o.context));
  Engine engine(model, o);
  std::vector<float> logits(static_cast<size_t>(engine.vocab_size()));
  std::vector<Engine::Row> rows;
  const auto feed = [&](int64_t position, int64_t count) {
    rows.clear();
    for (int64_t i = 0; i < count; ++i) {
      rows.push_back({static_cast<int32_t>((position + i) * 7919 % engine.vocab_size()), 0,
                      static_cast<int32_t>(position + i), i + 1 == count});
    }
    engine.run(rows, logits);
  };
  if (model->config.reads_source()) {  // what is profiled is the decoder
    std::vector<int32_t> source;
    for (int64_t i = 0; i < o.context; ++i)
      source.push_back(static_cast<int32_t>(i * 7919 % engine.vocab_size()));
    read_source(engine, source);
  }
  const auto fill = [&] {
    if (engine.can_go_on(0, depth)) return;
    engine.observe(nullptr, nullptr);
    for (int64_t at = 0; at < depth; at += o.batch) feed(at, std::min(o.batch, depth - at));
  };
  fill();
  feed(depth, tokens);  // warms up

  Profile result;
  Recorder recorder;
  recorder.graph = &engine.plan().graph();
  const auto record = [](void* user, const Executor::Observation& step) {
    static_cast<Recorder*>(user)->record(step);
  };
  fill();
  engine.observe(record, &recorder);
  feed(depth, tokens);
  for (int64_t r = 0; r < options.repetitions; ++r) {
    fill();
    engine.observe(record, &recorder);
    recorder.begin();
    feed(depth, tokens);
    result.seconds += std::chrono::duration<double>(Clock::now() - recorder.start).count();
    result.tokens += tokens;
  }
  engine.observe(nullptr, nullptr);
  recorder.report(options.repetitions, &result);
  result.steps = static_cast<int64_t>(result.last_run.size());
  std::sort(result.rows.begin(), result.rows.end(),
            [](const ProfileRow& a, const ProfileRow& b) { return a.seconds > b.seconds; });
  return result;
}

std::string chrome_trace(const Profile& p) {
  std::string text = "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[";
  const char* separator = "\n";
  for (const ProfileEvent& e : p.last_run) {
    text += fmt::format(
        "{}{{\"name\":\"{}\",\"cat\":\"{}\",\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":{:.3f},"
        "\"dur\":{:.3f}}}",
        separator, e.name, e.op, e.start * 1e6, e.seconds * 1e6);
    separator = ",\n";
  }
  return text + "\n]}\n";
}

}  // namespace bantam
