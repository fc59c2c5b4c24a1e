#include "cpu/quant/panels/panels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/random.h"
#include "base/thread_pool.h"
#include "cpu/bindings.h"
#include "cpu/quant/panels/table.h"
#include "cpu/quant/table.h"
#include "tensor/layout.h"
#include "tensor/random_blocks.h"

namespace bantam::cpu {
namespace {

Tensor activations(int64_t m, int64_t k, float scale) {
  Random random(3);
  std::vector<float> values(static_cast<size_t>(m * k));
  for (float& v : values) v = scale * random.normal();
  return Tensor::from(values, {m, k}).to(DType::q8a);
}

// The largest sums that there are: all of +-127, in step with the weights' signs or against them.
Tensor extreme_activations(int64_t m, int64_t k) {
  std::vector<float> values(static_cast<size_t>(m * k));
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t row = i / static_cast<size_t>(k);
    values[i] = row % 3 == 0 ? 1.0f : row % 3 == 1 ? -1.0f : i % 2 ? 1.0f : -1.0f;
  }
  return Tensor::from(values, {m, k}).to(DType::q8a);
}

std::vector<float> scalar_product(WeightFormat format, const Tensor& x, const Tensor& w) {
  const int64_t m = x.shape()[0], n = w.shape()[0], k = w.shape()[1];
  std::vector<float> y(static_cast<size_t>(m * n));
  quant_table().front().function->linear[format](x.as<BlockQ8A>(), w.as<uint8_t>(), y.data(),
                                                 {m, n, k, n});
  return y;
}

struct RunnableKernels {
  std::string_view isa;
  const PanelKernels* kernels;
};

// Those that may run here.
std::vector<RunnableKernels> runnable() {
  std::vector<RunnableKernels> found;
  for (const auto& [isa, kernels] : panel_table()) {
    const auto need = static_cast<uint32_t>(isa);
    if ((need & allowed_isas()) == need && kernels != nullptr) {
      found.push_back({isa_name(isa), kernels});
    }
  }
  return found;
}

std::vector<float> panel_product(const PanelKernels& kernels, WeightFormat format, const Tensor& x,
                                 const Tensor& interleaved) {
  const int64_t m = x.shape()[0], n = interleaved.shape()[0], k = interleaved.shape()[1];
  Tensor panel = Tensor::zeros(DType::i8, {kernels.bytes(m, k)});
  kernels.pack(x.as<BlockQ8A>(), {0, m, m}, k, panel.as<int8_t>());
  std::vector<float> y(static_cast<size_t>(m * n), -1.0f);
  kernels.linear[format](panel.as<int8_t>(), interleaved.as<uint8_t>(), y.data(), {m, n, k, n});
  return y;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST(Panels, GiveTheBitsOfTheScalarKernels) {
  if (runnable().empty())
    GTEST_SKIP() << "missing on this processor: AVX2 or dot products of bytes, which kernels for "
                    "panels need";
  ThreadPool pool(1);
  for (int f = 0; f < kWeightFormats; ++f) {
    const auto format = static_cast<WeightFormat>(f);
    const DType type = kFormatTypes[f];
    if (!can_interleave(type)) continue;
    for (const int64_t k : {dtype_info(type).block_length, int64_t{1280}}) {
      const Tensor w = random_blocks(type, {48, k}, 7, 0.01f), interleaved = interleave(w, pool);
      for (const int64_t m : {1, 8, 9, 63, 64, 128}) {
        for (const Tensor& x : {activations(m, k, 1.0f), extreme_activations(m, k)}) {
          const std::vector<float> expected = scalar_product(format, x, w);
          for (const auto& [isa, kernels] : runnable()) {
            if (kernels->linear[f] == nullptr || m > kernels->rows) continue;
            EXPECT_TRUE(same_bits(panel_product(*kernels, format, x, interleaved), expected))
                << isa << " " << dtype_info(type).name << " k=" << k << " m=" << m;
          }
        }
      }
    }
  }
}

// Runs of groups that fill no whole block of a kernel.
TEST(Panels, AnyNumberOfGroupsGivesTheSameBits) {
  if (runnable().empty())
    GTEST_SKIP() << "missing on this processor: AVX2 or dot products of bytes, which kernels for "
                    "panels need";
  ThreadPool pool(1);
  for (int64_t k = 32; k <= 17 * 32; k += 32) {
    const Tensor w = random_blocks(DType::q4_0, {32, k}, 7, 0.01f), x = activations(33, k, 1.0f);
    const Tensor interleaved = interleave(w, pool);
    const std::vector<float> expected = scalar_product(kQ4_0, x, w);
    for (const auto& [isa, kernels] : runnable()) {
      EXPECT_TRUE(same_bits(panel_product(*kernels, kQ4_0, x, interleaved), expected))
          << isa << " k=" << k;
    }
  }
}

// Every byte that a block can hold, so that each format meets its largest weights.
TEST(Panels, HoldTheLargestSums) {
  if (runnable().empty())
    GTEST_SKIP() << "missing on this processor: AVX2 or dot products of bytes, which kernels for "
                    "panels need";
  ThreadPool pool(1);
  for (const DType type : {DType::q4_0, DType::q8_0, DType::q5_0, DType::q4_1, DType::q5_1}) {
    const auto format = static_cast<WeightFormat>(
        std::find(std::begin(kFormatTypes), std::end(kFormatTypes), type) - kFormatTypes);
    for (const int value : {0x00, 0x80, 0x7f, 0xff, 0xf0, 0x0f}) {
      Tensor w = random_blocks(type, {16, 64}, 7, 0.01f);
      const int64_t block = dtype_info(type).block_bytes;
      const int64_t scales = type == DType::q4_1 || type == DType::q5_1 ? 4 : 2;
      for (int64_t at = 0; at < w.bytes(); at += block)
        std::memset(w.as<uint8_t>() + at + scales, value, static_cast<size_t>(block - scales));
      const Tensor interleaved = interleave(w, pool), x = extreme_activations(9, 64);
      const std::vector<float> expected = scalar_product(format, x, w);
      for (const auto& [isa, kernels] : runnable()) {
        EXPECT_TRUE(same_bits(panel_product(*kernels, format, x, interleaved), expected))
            << isa << " " << dtype_info(type).name << " bytes " << value;
      }
    }
  }
}

// y = x w^T by the op, with as many threads.
std::vector<float> by_op(const Tensor& x, const Tensor& w, int threads) {
  ThreadPool pool(threads);
  const Tensor y = Tensor::zeros(DType::f32, {x.shape()[0], w.shape()[0]});
  const TensorView in[] = {x.view(), w.view()}, out[] = {y.view()};
  const Attributes attributes;
  for (const OpBinding& binding : quant_bindings()) {
    if (binding.op != "linear") continue;
    const auto kernel = binding.bind({attributes, in, out, pool.size()});
    if (!kernel) continue;
    std::vector<std::byte> scratch(static_cast<size_t>(kernel->scratch_bytes));
    kernel->run({in, out, attributes, scratch.data(), pool});
  }
  return {y.as<float>(), y.as<float>() + y.shape().elements()};
}

TEST(Panels, AnyNumberOfRowsAndThreadsGivesTheSameBitsByTheOp) {
  ThreadPool pool(1);
  const Tensor w = random_blocks(DType::q4_0, {100, 512}, 7, 0.01f);
  const Tensor interleaved = interleave(w, pool);
  for (const int64_t m : {1, 7, 8, 64, 65, 150}) {
    const Tensor x = activations(m, 512, 1.0f);
    const std::vector<float> expected = scalar_product(kQ4_0, x, w);
    for (const int threads : {1, 2, 3}) {
      EXPECT_TRUE(same_bits(by_op(x, interleaved, threads), expected)) << m << " " << threads;
    }
  }
}

}  // namespace
}  // namespace bantam::cpu
