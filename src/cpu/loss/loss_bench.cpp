#include <benchmark/benchmark.h>

#include <cstring>
#include <string>
#include <vector>

#include "cpu/loss/table.h"

// Rows of 8192 bfloat16 logits, 32 MiB of them, as bytes of logits read (and gradients written) per
// second. Compare with `copy`, which moves them with memcpy.

namespace bantam::cpu {
namespace {

constexpr int64_t kRows = 2048, V = 8192;

struct Logits {
  std::vector<uint16_t> x = std::vector<uint16_t>(kRows * V), t = x, d = x;
  Logits() {
    uint32_t state = 1;
    for (auto* values : {&x, &t}) {  // between 1 and 8, either sign
      for (uint16_t& e : *values) {
        state = state * 1664525 + 1013904223;
        e = static_cast<uint16_t>(0x3f80 + (state >> 23 & 0x17f) + (state >> 31 << 15));
      }
    }
  }
};

template <class Body>
void run(benchmark::State& state, int64_t bytes_per_element, Body body) {
  static Logits logits;
  for (auto _ : state) {
    for (int64_t n = 0; n < kRows; ++n) {
      body(logits.x.data() + n * V, logits.t.data() + n * V, logits.d.data() + n * V);
    }
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * kRows * V * bytes_per_element);
}

void copy(benchmark::State& state) {
  run(state, 4, [](const uint16_t* x, const uint16_t*, uint16_t* d) { memcpy(d, x, 2 * V); });
}

void cross_entropy(benchmark::State& state, const LossKernels& kernels) {
  float loss = 0, lse = 0;
  run(state, 2, [&](const uint16_t* x, const uint16_t*, uint16_t*) {
    kernels.cross_entropy[1](x, V, 5, &loss, &lse);
    benchmark::DoNotOptimize(loss);
  });
}

void cross_entropy_grad(benchmark::State& state, const LossKernels& kernels) {
  run(state, 4, [&](const uint16_t* x, const uint16_t*, uint16_t* d) {
    kernels.cross_entropy_grad[1](x, V, 5, 15.0f, 1.0f, d);
  });
}

void divergence(benchmark::State& state, const LossKernels& kernels, LossKind kind) {
  run(state, 4, [&](const uint16_t* x, const uint16_t* t, uint16_t*) {
    benchmark::DoNotOptimize(kernels.divergence[1][1](x, t, V, 2.0f, kind));
  });
}

void divergence_grad(benchmark::State& state, const LossKernels& kernels, LossKind kind) {
  run(state, 6, [&](const uint16_t* x, const uint16_t* t, uint16_t* d) {
    kernels.divergence_grad[1][1](x, t, V, 2.0f, kind, 1.0f, d);
  });
}

[[maybe_unused]] const bool registered = [] {
  const auto add = [](const std::string& name, auto... what) {
    benchmark::RegisterBenchmark(name.c_str(), what...)->Unit(benchmark::kMillisecond);
  };
  add("loss/copy", copy);
  for (const auto& [isa, kernels] : loss_table()) {
    const auto need = static_cast<uint32_t>(isa);
    if ((need & detected_isas()) != need) continue;
    const std::string name(isa_name(isa));
    add("loss/cross_entropy/" + name, cross_entropy, *kernels);
    add("loss/cross_entropy_grad/" + name, cross_entropy_grad, *kernels);
    add("loss/forward_kl/" + name, divergence, *kernels, LossKind::forward_kl);
    add("loss/forward_kl_grad/" + name, divergence_grad, *kernels, LossKind::forward_kl);
    add("loss/jensen_shannon/" + name, divergence, *kernels, LossKind::jensen_shannon);
    add("loss/jensen_shannon_grad/" + name, divergence_grad, *kernels, LossKind::jensen_shannon);
  }
  return true;
}();

}  // namespace
}  // namespace bantam::cpu
