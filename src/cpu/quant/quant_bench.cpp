#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/thread_pool.h"
#include "cpu/bindings.h"
#include "cpu/quant/panels/table.h"
#include "cpu/quant/table.h"
#include "tensor/layout.h"

// decode: bytes of weights per second for one row of activations, from matrices too large for the
// caches; compare with `read`, which sums as many bytes. interleaved: the same. prefill: operations
// (two per multiply-add) per second for 512 rows; panels: the same, from packed activations and
// interleaved weights; rows/N: both for N rows, as in small batches. One thread; `pool` uses all
// cores through the op.

namespace bantam::cpu {
namespace {

constexpr int64_t kInner = 2048;

Tensor weights(DType type, int64_t rows) {
  Tensor w = Tensor::zeros(type, {rows, kInner});
  for (int64_t i = 0; i < w.bytes(); ++i) w.as<uint8_t>()[i] = static_cast<uint8_t>(i * 37 % 59);
  return w;
}

Tensor activations(int64_t rows) {
  Tensor x = Tensor::zeros(DType::f32, {rows, kInner});
  for (int64_t i = 0; i < rows * kInner; ++i) x.as<float>()[i] = static_cast<float>(i % 17) - 8.0f;
  return x.to(DType::q8a);
}

void read(benchmark::State& state) {
  const std::vector<uint64_t> words(size_t{64} << 17, 1);
  for (auto _ : state) {
    uint64_t sums[8] = {};
    for (size_t i = 0; i < words.size(); i += 8) {
      for (size_t j = 0; j < 8; ++j) sums[j] += words[i + j];
    }
    benchmark::DoNotOptimize(sums);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(words.size() * 8));
}

void decode(benchmark::State& state, const QuantKernels& kernels, int format) {
  const int64_t rows = 64 * 1024 * 1024 / row_bytes(kFormatTypes[format], kInner) / 16 * 16;
  const Tensor w = weights(kFormatTypes[format], rows), x = activations(1);
  std::vector<float> y(static_cast<size_t>(rows));
  for (auto _ : state) {
    kernels.linear[format](x.as<BlockQ8A>(), w.as<uint8_t>(), y.data(), {1, rows, kInner, rows});
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * w.bytes());
}

void decode_interleaved(benchmark::State& state, QuantLinear kernel, int format) {
  const int64_t rows = 64 * 1024 * 1024 / row_bytes(kFormatTypes[format], kInner) / 16 * 16;
  ThreadPool pool(1);
  const Tensor w = interleave(weights(kFormatTypes[format], rows), pool), x = activations(1);
  std::vector<float> y(static_cast<size_t>(rows));
  for (auto _ : state) {
    kernel(x.as<BlockQ8A>(), w.as<uint8_t>(), y.data(), {1, rows, kInner, rows});
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * w.bytes());
}

constexpr int64_t kTokens = 512, kRows = 256;

void count_operations(benchmark::State& state, int64_t tokens) {
  state.counters["op/s"] =
      benchmark::Counter(static_cast<double>(state.iterations() * 2 * tokens * kRows * kInner),
                         benchmark::Counter::kIsRate);
}

void prefill(benchmark::State& state, QuantLinear kernel, int format, bool interleaved,
             int64_t tokens) {
  ThreadPool pool(1);
  Tensor w = weights(kFormatTypes[format], kRows);
  if (interleaved) w = interleave(w, pool);
  const Tensor x = activations(tokens);
  std::vector<float> y(static_cast<size_t>(tokens * kRows));
  for (auto _ : state) {
    kernel(x.as<BlockQ8A>(), w.as<uint8_t>(), y.data(), {tokens, kRows, kInner, kRows});
    benchmark::ClobberMemory();
  }
  count_operations(state, tokens);
}

void prefill_panels(benchmark::State& state, const PanelKernels& kernels, int format,
                    int64_t tokens) {
  ThreadPool pool(1);
  const Tensor w = interleave(weights(kFormatTypes[format], kRows), pool);
  const Tensor x = activations(tokens);
  const Tensor panel = Tensor::zeros(DType::i8, {kernels.bytes(kernels.rows, kInner)});
  std::vector<float> y(static_cast<size_t>(tokens * kRows));
  for (auto _ : state) {
    for (int64_t m = 0; m < tokens; m += kernels.rows) {
      const int64_t rows = std::min(kernels.rows, tokens - m);
      kernels.pack(x.as<BlockQ8A>() + m * (kInner / 32), {0, rows, rows}, kInner,
                   panel.as<int8_t>());
      kernels.linear[format](panel.as<int8_t>(), w.as<uint8_t>(), y.data() + m * kRows,
                             {rows, kRows, kInner, kRows});
    }
    benchmark::ClobberMemory();
  }
  count_operations(state, tokens);
}

void quantize(benchmark::State& state, const QuantKernels& kernels) {
  const std::vector<float> x(kInner, 0.7f);
  std::vector<BlockQ8A> q(kInner / 32);
  for (auto _ : state) {
    kernels.quantize(x.data(), q.data(), kInner / 32);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * kInner);
}

void decode_with_pool(benchmark::State& state, int format) {
  ThreadPool pool;
  const int64_t rows = 64 * 1024 * 1024 / row_bytes(kFormatTypes[format], kInner) / 16 * 16;
  const Tensor w = weights(kFormatTypes[format], rows), x = activations(1);
  const Tensor y = Tensor::zeros(DType::f32, {1, rows});
  const TensorView in[] = {x.view(), w.view()}, out[] = {y.view()};
  const Attributes attributes;
  for (const OpBinding& binding : quant_bindings()) {
    if (binding.op != "linear") continue;
    const auto kernel = binding.bind({attributes, in, out, pool.size()});
    if (!kernel) continue;
    for (auto _ : state) kernel->run({in, out, attributes, nullptr, pool});  // one row: no scratch
  }
  state.SetBytesProcessed(state.iterations() * w.bytes());
}

[[maybe_unused]] const bool registered = [] {
  benchmark::RegisterBenchmark("quant/read", read);
  for (const auto& [isa, kernels] : quant_table()) {
    const auto need = static_cast<uint32_t>(isa);
    if ((need & allowed_isas()) != need) continue;
    const std::string_view end = isa_name(isa);
    benchmark::RegisterBenchmark(fmt::format("quant/quantize/{}", end).c_str(), quantize, *kernels);
    for (int f = 0; f < kWeightFormats; ++f) {
      if (kernels->linear[f] == nullptr) continue;
      const std::string name = fmt::format("{}/{}", dtype_info(kFormatTypes[f]).name, end);
      benchmark::RegisterBenchmark(("quant/decode/" + name).c_str(), decode, *kernels, f);
      if (kernels->interleaved[f] != nullptr) {
        benchmark::RegisterBenchmark(("quant/interleaved/" + name).c_str(), decode_interleaved,
                                     kernels->interleaved[f], f);
        benchmark::RegisterBenchmark(("quant/prefill/interleaved/" + name).c_str(), prefill,
                                     kernels->interleaved[f], f, true, kTokens);
      }
      benchmark::RegisterBenchmark(("quant/prefill/" + name).c_str(), prefill, kernels->linear[f],
                                   f, false, kTokens);
    }
  }
  for (int f = 0; f < kWeightFormats; ++f) {
    const std::string name(dtype_info(kFormatTypes[f]).name);
    if (const PanelKernels* kernels = panel_kernels(); kernels && kernels->linear[f]) {
      benchmark::RegisterBenchmark(("quant/prefill/panels/" + name).c_str(), prefill_panels,
                                   *kernels, f, kTokens);
      for (const int64_t tokens : {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64}) {
        const std::string rows = fmt::format("quant/rows/{}/{}", tokens, name);
        benchmark::RegisterBenchmark((rows + "/interleaved").c_str(), prefill,
                                     interleaved_kernel(static_cast<WeightFormat>(f)), f, true,
                                     tokens);
        benchmark::RegisterBenchmark((rows + "/panels").c_str(), prefill_panels, *kernels, f,
                                     tokens);
      }
    }
    benchmark::RegisterBenchmark(("quant/decode/" + name + "/pool").c_str(), decode_with_pool, f)
        ->UseRealTime();
  }
  return true;
}();

}  // namespace
}  // namespace bantam::cpu
