#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/cpu_features.h"
#include "base/half.h"
#include "cpu/bindings.h"
#include "cpu/matmul/gemm.h"

#if defined(__x86_64__)
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#endif

// The products of training a model of 30 M parameters, as a fraction of the arithmetic peak that is
// measured here on registers (AMX tiles, or AVX-512 multiply-adds). The shortest iteration counts,
// because the machine may be shared.

namespace bantam::cpu {
namespace {

double seconds_of(const auto& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

constexpr int kPeakSteps = 20000;

#if defined(__x86_64__)
__attribute__((target("amx-tile,amx-bf16"))) void amx_steps() {
  x86_amx::enter();
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_zero(4);
  _tile_zero(5);
  _tile_zero(6);
  _tile_zero(7);
  for (int i = 0; i < kPeakSteps; ++i) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  x86_amx::leave();
}

__attribute__((target("avx512f"))) void fma_steps() {
  __m512 sum[16];
  for (auto& s : sum) s = _mm512_set1_ps(1.0f);
  const __m512 factor = _mm512_set1_ps(0.5f);
  for (int i = 0; i < kPeakSteps; ++i)
    for (auto& s : sum) s = _mm512_fmadd_ps(s, factor, factor);
  for (auto& s : sum) benchmark::DoNotOptimize(s);
}
#endif

bool may_use(Isa isa) {
  return (allowed_isas() & static_cast<uint32_t>(isa)) != 0;
}

// Operations per second of one thread, 0 where it cannot be measured.
double peak(bool bf16) {
  double best = 0;
#if defined(__x86_64__)
  const Isa need = bf16 ? Isa::x86_amx : Isa::x86_avx512;
  if (!may_use(need)) return 0;
  const double operations = bf16 ? kPeakSteps * 4.0 * 16 * 16 * 32 * 2 : kPeakSteps * 16.0 * 16 * 2;
  for (int i = 0; i < 50; ++i)
    best = std::max(best, operations / seconds_of(bf16 ? amx_steps : fma_steps));
#else
  static_cast<void>(bf16);
#endif
  return best;
}

enum class Form { linear, dx, dw };

std::vector<char> values(DType dtype, int64_t n) {
  std::vector<char> data(static_cast<size_t>(row_bytes(dtype, n)));
  for (int64_t i = 0; i < n; ++i) {
    const float v = static_cast<float>(i % 61) / 61.0f - 0.5f;
    if (dtype == DType::f32)
      reinterpret_cast<float*>(data.data())[i] = v;
    else
      reinterpret_cast<uint16_t*>(data.data())[i] = float_to_bf16(v);
  }
  return data;
}

void product(benchmark::State& state, Form form, DType dtype, DType out) {
  const int64_t m = state.range(0), n = state.range(1), k = state.range(2);
  const int threads = static_cast<int>(state.range(3));
  // y [m, n] = x [m, k] w [n, k]^T;  dx = dy w;  dw = dy^T x
  const Shape x{m, k}, w{n, k}, y{m, n};
  const Shape shapes[3][3] = {{x, w, y}, {y, w, x}, {y, x, w}};
  const auto& s = shapes[static_cast<int>(form)];
  auto a = values(dtype, s[0].elements()), b = values(dtype, s[1].elements());
  auto c = values(out, s[2].elements());
  const TensorView inputs[] = {{dtype, s[0], a.data()}, {dtype, s[1], b.data()}};
  const TensorView outputs[] = {{out, s[2], c.data()}};
  const Attributes attributes{{"ta", int64_t{form == Form::dw}}, {"tb", int64_t{0}}};
  const std::string_view op = form == Form::linear ? "linear" : "matmul";
  BoundKernel kernel;
  for (const OpBinding& binding : matmul_bindings())
    if (binding.op == op) kernel = *binding.bind({attributes, inputs, outputs, threads});
  const std::unique_ptr<char[]> memory(new char[static_cast<size_t>(kernel.scratch_bytes) + 64]);
  void* scratch = memory.get() + (64 - reinterpret_cast<uintptr_t>(memory.get()) % 64);
  ThreadPool pool(threads);
  const auto run = [&] { kernel.run(StepContext{inputs, outputs, attributes, scratch, pool}); };
  run();  // touches all memory
  double best = 1e30;
  for (auto _ : state) {
    best = std::min(best, seconds_of(run));
  }
  const double rate = 2.0 * static_cast<double>(m * n * k) / best;
  static const double peaks[] = {peak(false), peak(true)};
  const double top = peaks[dtype == DType::bf16] * threads;
  state.counters["GFLOP/s"] = rate / 1e9;
  if (top > 0) state.counters["of_peak"] = rate / top;
}

void sizes(benchmark::internal::Benchmark* b) {
  for (const int64_t threads : {1, 2}) {
    b->Args({8192, 384, 384, threads});
    b->Args({8192, 1024, 384, threads});
    b->Args({8192, 384, 1024, threads});
    b->Args({8192, 8192, 384, threads});
  }
  b->ArgNames({"m", "n", "k", "threads"})->Unit(benchmark::kMillisecond);
}

void few_rows(benchmark::internal::Benchmark* b) {
  for (const int64_t rows : {1, 4, 32}) b->Args({rows, 1024, 384, 1});
  b->ArgNames({"m", "n", "k", "threads"})->Unit(benchmark::kMicrosecond);
}

BENCHMARK_CAPTURE(product, linear_bf16, Form::linear, DType::bf16, DType::bf16)->Apply(sizes);
BENCHMARK_CAPTURE(product, dx_bf16, Form::dx, DType::bf16, DType::bf16)->Apply(sizes);
BENCHMARK_CAPTURE(product, dw_bf16, Form::dw, DType::bf16, DType::f32)->Apply(sizes);
BENCHMARK_CAPTURE(product, linear_f32, Form::linear, DType::f32, DType::f32)
    ->Apply(few_rows)
    ->Args({8192, 384, 384, 1})
    ->Args({8192, 384, 1024, 1});
BENCHMARK_CAPTURE(product, dx_f32, Form::dx, DType::f32, DType::f32)->Args({8192, 384, 1024, 1});
BENCHMARK_CAPTURE(product, dw_f32, Form::dw, DType::f32, DType::f32)->Args({8192, 384, 1024, 1});

}  // namespace
}  // namespace bantam::cpu
