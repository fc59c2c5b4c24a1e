#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "base/random.h"
#include "cpu/backend.h"
#include "graph/ops.h"
#include "train/trainer.h"

// A whole optimiser step of a 30 M-parameter model in bf16 on 8,192 tokens, as a fraction of the
// matrix product speed that is measured just before with the same threads.

namespace bantam {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Best of several products [8192, 1024] x [1024, 1024]^T, in FLOP/s.
double matmul_peak(ThreadPool& pool) {
  constexpr int64_t kRows = 8192, kSide = 1024;
  Graph g;
  const Value x = g.input("x", {DType::bf16, {kRows, kSide}});
  const Value w = g.weight("w", {DType::bf16, {kSide, kSide}});
  g.output("y", ops::linear(g, x, w, DType::bf16));
  const auto plan = std::make_shared<Plan>(g, cpu_backend(), std::vector<int64_t>{}, pool.size());
  const Tensor a = Tensor::zeros(DType::bf16, {kRows, kSide});
  const Tensor b = Tensor::zeros(DType::bf16, {kSide, kSide});
  Executor executor(plan, pool);
  executor.bind("x", a.view());
  executor.bind("w", b.view());
  double best = 1e9;
  for (int i = 0; i < 10; ++i) {
    const auto start = Clock::now();
    executor.run();
    best = std::min(best, seconds_since(start));
  }
  return 2.0 * kRows * kSide * kSide / best;
}

ModelConfig thirty_million() {
  ModelConfig c;
  c.context_length = 512;
  c.embedding_length = 384;
  c.block_count = 14;
  c.feed_forward_length = 1152;
  c.head_count = c.head_count_kv = 6;
  c.head_size = c.rope_dims = 64;
  c.vocab_size = 8192;
  return c;
}

// Multiplications and additions of a step: 6 for each weight and token, and the scores of
// attention.
double step_flops(const ModelConfig& c, const TrainerOptions& o) {
  const double matrices =
      static_cast<double>(c.block_count * (4 * c.embedding_length * c.embedding_length +
                                           3 * c.embedding_length * c.feed_forward_length) +
                          c.vocab_size * c.embedding_length);
  const double attention =
      2.0 * static_cast<double>(c.block_count * c.embedding_length * o.length / 2);
  return 6 * (matrices + attention) * static_cast<double>(o.tokens_per_step());
}

void training_step(benchmark::State& state) {
  const ModelConfig config = thirty_million();
  TrainerOptions options;
  options.sequences = 16;
  options.length = 512;
  options.threads = static_cast<int>(state.range(0));
  Trainer trainer(config, initial_weights(config, 1), options);
  const double peak = matmul_peak(trainer.pool());
  Random random(1);
  std::vector<int32_t> ids(static_cast<size_t>(options.rows()));
  for (int32_t& id : ids) id = static_cast<int32_t>(random.below(8192));
  const TrainingBatch batch{ids, ids};
  trainer.step({&batch, 1}, 1e-3);  // touches every page
  double seconds = 0;
  for (auto unused : state) {
    const auto start = Clock::now();
    trainer.step({&batch, 1}, 1e-3);
    seconds += seconds_since(start);
  }
  const double rate = static_cast<double>(state.iterations()) / seconds;
  state.counters["tokens/s"] = rate * static_cast<double>(options.tokens_per_step());
  state.counters["matmul_peak_TFLOP/s"] = peak / 1e12;
  state.counters["fraction_of_peak"] = rate * step_flops(config, options) / peak;
}

BENCHMARK(training_step)
    ->Arg(1)
    ->Arg(2)
    ->Iterations(3)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace bantam
