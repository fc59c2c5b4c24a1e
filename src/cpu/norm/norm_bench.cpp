#include <benchmark/benchmark.h>

#include <cstring>
#include <vector>

#include "cpu/elementwise/lanes/lanes.h"
#include "cpu/norm/table.h"

// Rows per second of every instruction set, as bytes read and written per second. Compare with
// `copy`, which moves as many bytes with memcpy: the rate that a kernel bound by memory would
// reach.

namespace bantam::cpu {
namespace {

constexpr int64_t kRows = 512;

void set_bytes(benchmark::State& state, int64_t bytes_per_element) {
  state.SetBytesProcessed(state.iterations() * kRows * state.range(0) * bytes_per_element);
}

void copy(benchmark::State& state) {
  const auto n = static_cast<size_t>(kRows * state.range(0));
  std::vector<float> x(n, 1.0f), y(n);
  for (auto _ : state) {
    std::memcpy(y.data(), x.data(), n * sizeof(float));
    benchmark::ClobberMemory();
  }
  set_bytes(state, 8);
}

void forward(benchmark::State& state, const NormKernels& kernels) {
  const int64_t C = state.range(0);
  const auto n = static_cast<size_t>(kRows * C);
  std::vector<float> x(n, 1.0f), y(n), w(static_cast<size_t>(C), 1.0f);
  for (auto _ : state) {
    kernels.rms_norm[0][0](x.data(), w.data(), y.data(), kRows, C, 1e-5f);
    benchmark::ClobberMemory();
  }
  set_bytes(state, 8);
}

void backward(benchmark::State& state, const NormKernels& kernels) {
  const int64_t C = state.range(0);
  const auto n = static_cast<size_t>(kRows * C);
  std::vector<float> x(n, 1.0f), dx(n);
  std::vector<Bf16> dy(n, Bf16{0x3f80});
  std::vector<float> w(static_cast<size_t>(C), 1.0f), dw(w);
  for (auto _ : state) {
    kernels.rms_norm_grad[0][1][0](x.data(), w.data(), dy.data(), dx.data(), dw.data(), kRows, C,
                                   1e-5f);
    benchmark::ClobberMemory();
  }
  set_bytes(state, 10);
}

[[maybe_unused]] const bool registered = [] {
  benchmark::RegisterBenchmark("norm/copy", copy)->Arg(576)->Arg(2048);
  for (const auto& [isa, kernels] : norm_table()) {
    const auto need = static_cast<uint32_t>(isa);
    if ((need & detected_isas()) != need) continue;
    const std::string name(isa_name(isa));
    benchmark::RegisterBenchmark(("norm/rms_norm/" + name).c_str(), forward, *kernels)
        ->Arg(576)
        ->Arg(2048);
    benchmark::RegisterBenchmark(("norm/rms_norm_grad/" + name).c_str(), backward, *kernels)
        ->Arg(576)
        ->Arg(2048);
  }
  return true;
}();

}  // namespace
}  // namespace bantam::cpu
