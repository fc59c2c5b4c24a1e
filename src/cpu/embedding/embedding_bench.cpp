#include <benchmark/benchmark.h>

#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "base/random.h"
#include "cpu/embedding/table.h"

// The gradient of a table [8192, 384] from 8192 rows, as bytes of dy read and table written per
// second. Compare with `copy`.

namespace bantam::cpu {
namespace {

constexpr int64_t kRows = 8192, kColumns = 384;

void copy(benchmark::State& state) {
  const std::vector<float> x(kRows * kColumns, 1.0f);
  std::vector<float> y(x);
  for (auto _ : state) {
    std::memcpy(y.data(), x.data(), x.size() * sizeof(float));
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * kRows * kColumns * 8);
}

// Two rows for every second id.
void gather_sum(benchmark::State& state, const EmbeddingKernels& kernels) {
  const std::vector<float> dy(kRows * kColumns, 1.0f);
  std::vector<float> d(dy);
  std::vector<int32_t> rows(kRows);
  std::iota(rows.begin(), rows.end(), 0);
  Random random(1);
  for (uint32_t i = kRows; i > 1; --i) std::swap(rows[i - 1], rows[random.below(i)]);
  for (auto _ : state) {
    for (int64_t v = 0; v < kRows; ++v) {
      kernels.gather_sum[0](dy.data(), kColumns, rows.data() + v, v % 2 ? 0 : 2,
                            d.data() + v * kColumns);
    }
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * kRows * kColumns * 8);
}

[[maybe_unused]] const bool registered = [] {
  benchmark::RegisterBenchmark("embedding/copy", copy)->Unit(benchmark::kMillisecond);
  for (const auto& [isa, kernels] : embedding_table()) {
    const auto need = static_cast<uint32_t>(isa);
    if ((need & detected_isas()) != need) continue;
    const std::string name = "embedding/gather_sum/" + std::string(isa_name(isa));
    benchmark::RegisterBenchmark(name.c_str(), gather_sum, *kernels)->Unit(benchmark::kMillisecond);
  }
  return true;
}();

}  // namespace
}  // namespace bantam::cpu
