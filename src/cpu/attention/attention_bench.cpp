#include <benchmark/benchmark.h>

#include "cpu/attention/attention_case.h"

namespace bantam::cpu::attention {
namespace {

// A step bound once, as a plan does it.
class Step {
 public:
  Step(std::string_view op, const Attributes& attributes, std::vector<TensorView> inputs,
       std::vector<TensorView> outputs, ThreadPool& pool)
      : inputs_(std::move(inputs)),
        outputs_(std::move(outputs)),
        attributes_(attributes),
        pool_(pool),
        kernel_(bind(op, attributes_, inputs_, outputs_, pool.size())),
        scratch_(static_cast<size_t>(kernel_.scratch_bytes)) {}
  void run() { kernel_.run({inputs_, outputs_, attributes_, scratch_.data(), pool_}); }

 private:
  std::vector<TensorView> inputs_, outputs_;
  const Attributes& attributes_;
  ThreadPool& pool_;
  BoundKernel kernel_;
  std::vector<char> scratch_;
};

Step forward_step(Case& c, ThreadPool& pool) {
  return {"attention",
          c.attributes,
          {c.q.view(), c.k.view(), c.v.view(), c.sequences.view(), c.positions.view()},
          {c.out.view(), c.lse.view()},
          pool};
}
Step backward_step(Case& c, ThreadPool& pool) {
  return {"attention_grad",
          c.attributes,
          {c.q.view(), c.k.view(), c.v.view(), c.sequences.view(), c.positions.view(), c.out.view(),
           c.lse.view(), c.dout.view()},
          {c.dq.view(), c.dk.view(), c.dv.view()},
          pool};
}

// Multiplications and additions of q k^T over the visible cells.
double product_flops(const Case& c) {
  double cells = 0;
  for (int64_t n = 0; n < c.rows(); ++n) cells += static_cast<double>(c.visible(n));
  return 2 * cells * static_cast<double>(c.e.H * c.e.D);
}
void report_flops(benchmark::State& state, double flops) {
  state.counters["flop/s"] = benchmark::Counter(
      flops, benchmark::Counter::kIsIterationInvariantRate, benchmark::Counter::kIs1000);
}

void prefill(benchmark::State& state) {
  ThreadPool pool(static_cast<int>(state.range(0)));
  std::vector<int32_t> s(512, 0), p;
  for (int32_t n = 0; n < 512; ++n) p.push_back(n);
  Case c({8, 2, 64, 1, 1024}, s, p, DType::f32, DType::f16);
  Step step = forward_step(c, pool);
  for (auto _ : state) step.run();
  report_flops(state, 2 * product_flops(c));
}
BENCHMARK(prefill)->ArgName("threads")->Arg(1)->Arg(2)->UseRealTime();

void decode(benchmark::State& state) {
  ThreadPool pool(static_cast<int>(state.range(0)));
  const auto cells = static_cast<int32_t>(state.range(1));
  // f16 with keys in rows, and what engines keep: keys in groups.
  constexpr DType kTypes[] = {DType::f16, DType::f32, DType::f16, DType::q8_0, DType::q4_0};
  const DType cache = kTypes[state.range(2)];
  const auto layout = [&](Case c) { return state.range(2) == 0 ? c : c.with_key_groups(); };
  // As many layers' caches in turn as a real model has, so that they do not stay in L2.
  std::vector<Case> layers;
  std::vector<Step> steps;
  for (int i = 0; i < 8; ++i)
    layers.push_back(layout({Extents{8, 2, 64, 1, cells}, std::vector<int32_t>{0},
                             std::vector<int32_t>{cells - 1}, DType::f32, cache}));
  for (Case& layer : layers) steps.push_back(forward_step(layer, pool));
  for (auto _ : state)
    for (Step& step : steps) step.run();
  state.SetBytesProcessed(state.iterations() * 8 * 2 * layers[0].k.bytes());
}
BENCHMARK(decode)
    ->ArgNames({"threads", "cells", "type"})
    ->ArgsProduct({{1, 2}, {1024, 8192}, {0, 1, 2, 3, 4}})
    ->UseRealTime();

void training(benchmark::State& state, DType t, bool gradient) {
  ThreadPool pool(static_cast<int>(state.range(0)));
  Case c = Case::training({8, 4, state.range(1), 4, 512}, t);
  Step forward = forward_step(c, pool), backward = backward_step(c, pool);
  forward.run();
  for (auto _ : state) (gradient ? backward : forward).run();
  report_flops(state, (gradient ? 5 : 2) * product_flops(c));
}
BENCHMARK_CAPTURE(training, forward_bf16, DType::bf16, false)
    ->ArgNames({"threads", "D"})
    ->ArgsProduct({{1, 2}, {48, 64}})
    ->UseRealTime();
BENCHMARK_CAPTURE(training, backward_bf16, DType::bf16, true)
    ->ArgNames({"threads", "D"})
    ->ArgsProduct({{1, 2}, {48, 64}})
    ->UseRealTime();
BENCHMARK_CAPTURE(training, forward_f32, DType::f32, false)
    ->ArgNames({"threads", "D"})
    ->Args({1, 64})
    ->UseRealTime();
BENCHMARK_CAPTURE(training, backward_f32, DType::f32, true)
    ->ArgNames({"threads", "D"})
    ->Args({1, 64})
    ->UseRealTime();

}  // namespace
}  // namespace bantam::cpu::attention
