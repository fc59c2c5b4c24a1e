#include <benchmark/benchmark.h>

#include <cmath>

#include "base/random.h"
#include "base/thread_pool.h"
#include "cpu/backend.h"
#include "cpu/quant/head_screen.h"
#include "tensor/layout.h"

// An output head, whole or screened for its largest result: full/q8_0/49152/576,
// screened/q8_0/49152/576, … Activations look towards one row, with logits of the others spread as
// those of random directions are; `computed` is the share of rows that were computed exactly.

namespace bantam::cpu {
namespace {

struct Head {
  Tensor w, x, best;
  HeadScreen screen;
};

Head make_head(DType type, int64_t V, int64_t K, ThreadPool& pool) {
  Random random(1);
  Head h{Tensor::zeros(type, {V, K}),
         Tensor::zeros(DType::f32, {1, K}),
         Tensor::zeros(DType::i32, {1}),
         {}};
  const DTypeInfo& info = dtype_info(type);
  const int64_t bytes = row_bytes(type, K);
  std::vector<float> row(static_cast<size_t>(K));
  const auto write = [&](int64_t n) {
    for (float& v : row) v = random.normal();
    info.from_float(row.data(), h.w.as<uint8_t>() + n * bytes, K);
  };
  // A few thousand rows are enough to have no block twice in a row's neighbourhood.
  const int64_t distinct = std::min<int64_t>(V, 2039);
  for (int64_t n = 0; n < distinct; ++n) write(n);
  for (int64_t n = distinct; n < V; ++n) {
    const auto* from = h.w.as<uint8_t>() + n % distinct * bytes;
    std::copy(from, from + bytes, h.w.as<uint8_t>() + n * bytes);
  }
  write(V / 2);
  for (int64_t i = 0; i < K; ++i)
    h.x.as<float>()[i] = random.normal() + 0.35f * row[static_cast<size_t>(i)];
  h.x = h.x.to(DType::q8a);
  h.w = interleave(h.w, pool);
  h.screen = make_head_screen(h.w.view(), pool);
  h.best.as<int32_t>()[0] = 1;
  return h;
}

void run(benchmark::State& state, DType type, bool screened) {
  const int64_t V = state.range(0), K = state.range(1);
  ThreadPool pool(static_cast<int>(state.range(2)));
  const Head h = make_head(type, V, K, pool);
  const Tensor y = Tensor::zeros(DType::f32, {1, V});
  const TensorView in[] = {h.x.view(), h.w.view(), h.screen.codes.view(), h.screen.bounds.view(),
                           h.best.view()};
  const TensorView out[] = {y.view()};
  const std::span<const TensorView> inputs(in, screened ? 5 : 2);
  const Attributes attributes;
  const auto kernel = cpu_backend().bind(screened ? "screened_linear" : "linear", attributes,
                                         inputs, out, pool.size());
  std::vector<int64_t> scratch(static_cast<size_t>(kernel->scratch_bytes / 8 + 1));
  for (auto _ : state) kernel->run({inputs, out, attributes, scratch.data(), pool});
  const int64_t missing = std::count(y.as<float>(), y.as<float>() + V, -INFINITY);
  state.counters["computed"] = 1 - static_cast<double>(missing) / static_cast<double>(V);
}

void arguments(benchmark::internal::Benchmark* b) {
  for (const int64_t threads : {1, 2}) {
    b->Args({49152, 576, threads});
    b->Args({128256, 2048, threads});
  }
}

BENCHMARK_CAPTURE(run, full_q8_0, DType::q8_0, false)->Apply(arguments);
BENCHMARK_CAPTURE(run, screened_q8_0, DType::q8_0, true)->Apply(arguments);
BENCHMARK_CAPTURE(run, full_q6_k, DType::q6_k, false)->Apply([](auto* b) {
  b->Args({128256, 2048, 1})->Args({128256, 2048, 2});
});
BENCHMARK_CAPTURE(run, screened_q6_k, DType::q6_k, true)->Apply([](auto* b) {
  b->Args({128256, 2048, 1})->Args({128256, 2048, 2});
});

}  // namespace
}  // namespace bantam::cpu
