#include <benchmark/benchmark.h>

#include <cstring>
#include <string>
#include <vector>

#include "cpu/optimiser/table.h"

// Steps over 4 Mi parameters (64 MiB with moments and gradients), as bytes read and written per
// second: 28 for each parameter. Compare with `copy`.

namespace bantam::cpu {
namespace {

constexpr int64_t kParameters = 4 << 20;

void copy(benchmark::State& state) {
  const std::vector<float> x(2 * kParameters, 1.0f);
  std::vector<float> y(x);
  for (auto _ : state) {
    std::memcpy(y.data(), x.data(), x.size() * sizeof(float));
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * kParameters * 16);
}

void adamw(benchmark::State& state, AdamwFn kernel) {
  std::vector<float> p(kParameters, 1.0f), m(p), v(p);
  const std::vector<float> g(p);
  const AdamwSettings settings{1e-3f, 0.9f, 0.99f, 1e-8f, 1, 1, 1, 0.1f};
  for (auto _ : state) {
    kernel(settings, p.data(), m.data(), v.data(), g.data(), kParameters);
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * kParameters * 28);
}

[[maybe_unused]] const bool registered = [] {
  benchmark::RegisterBenchmark("optimiser/copy", copy)->Unit(benchmark::kMillisecond);
  for (const auto& [isa, kernel] : adamw_table()) {
    const auto need = static_cast<uint32_t>(isa);
    if ((need & detected_isas()) != need) continue;
    const std::string name = "optimiser/adamw/" + std::string(isa_name(isa));
    benchmark::RegisterBenchmark(name.c_str(), adamw, kernel)->Unit(benchmark::kMillisecond);
  }
  return true;
}();

}  // namespace
}  // namespace bantam::cpu
