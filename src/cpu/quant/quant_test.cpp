#include "cpu/quant/quant.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/random.h"
#include "base/thread_pool.h"
#include "cpu/bindings.h"
#include "cpu/quant/table.h"
#include "tensor/layout.h"
#include "tensor/random_blocks.h"

namespace bantam::cpu {
namespace {

std::vector<float> random_floats(int64_t n, uint64_t seed) {
  Random random(seed);
  std::vector<float> values(static_cast<size_t>(n));
  for (float& v : values) v = random.normal();
  return values;
}

Tensor random_tensor(const Shape& shape, uint64_t seed) {
  return Tensor::from(random_floats(shape.elements(), seed), shape);
}

Tensor random_matrix(DType type, int64_t n, int64_t k, uint64_t seed) {
  return random_blocks(type, {n, k}, seed, 0.01f);
}

bool same_bytes(const void* a, const void* b, size_t size) {
  return std::memcmp(a, b, size) == 0;
}

WeightFormat known_format(DType type) {
  return static_cast<WeightFormat>(format_of(type));
}

struct RunnableKernels {
  std::string_view name;
  const QuantKernels* kernels;
};

// Those that may run here and know the type.
std::vector<RunnableKernels> runnable(DType type = DType::q8_0) {
  std::vector<RunnableKernels> found;
  for (const auto& [isa, kernels] : quant_table()) {
    const auto need = static_cast<uint32_t>(isa);
    if ((need & allowed_isas()) == need && kernels->linear[known_format(type)])
      found.push_back({isa_name(isa), kernels});
  }
  return found;
}

const QuantKernels& scalar_kernels() {
  return *quant_table().front().function;
}

std::vector<float> product(const QuantKernels& kernels, const Tensor& x, const Tensor& w) {
  const int64_t m = x.shape()[0], n = w.shape()[0], k = w.shape()[1];
  std::vector<float> y(static_cast<size_t>(m * n), -1.0f);
  kernels.linear[known_format(w.dtype())](x.as<BlockQ8A>(), w.as<uint8_t>(), y.data(),
                                          {m, n, k, n});
  return y;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST(Quant, EveryInstructionSetQuantisesActivationsToTheSameBits) {
  std::vector<float> x = random_floats(32 * 40, 3);
  for (size_t i = 0; i < 64; ++i) x[i] *= 1e-35f;
  for (size_t i = 64; i < 128; ++i) x[i] = 0.0f;
  x[70] = 1e30f;
  x[130] = std::nanf("");
  x[170] = -INFINITY;
  for (size_t i = 192; i < 224; ++i) x[i] = static_cast<float>(i) - 207.5f;  // many halves
  x[192] = -127.0f;
  for (size_t i = 224; i < 256; ++i) x[i] = i % 2 ? -3.0f : 3.0f;
  std::copy_n(x.begin() + 192, 64, x.begin() + 256);                 // beside plain blocks, too
  for (size_t i = 320; i < 384; ++i) x[i] = i < 352 ? 5.0f : -5.0f;  // the largest sums
  std::vector<BlockQ8A> expected(40);
  dtype_info(DType::q8a).from_float(x.data(), expected.data(), 32 * 40);
  for (const auto& [name, kernels] : runnable()) {
    std::vector<BlockQ8A> got(40);
    kernels->quantize(x.data(), got.data(), 40);
    for (size_t b = 0; b < 40; ++b) {
      EXPECT_TRUE(same_bytes(&got[b], &expected[b], sizeof(BlockQ8A))) << name << " " << b;
    }
  }
}

TEST(Quant, EveryInstructionSetMultipliesToTheSameBits) {
  for (const DType type : kFormatTypes) {
    for (const int64_t k : {dtype_info(type).block_length, int64_t{512}, int64_t{1280}}) {
      for (const int64_t m : {1, 2, 3, 15, 16, 17, 33, 70}) {
        const Tensor x = random_tensor({m, k}, 5).to(DType::q8a);
        const Tensor w = random_matrix(type, 32, k, 7);
        const std::vector<float> expected = product(scalar_kernels(), x, w);
        for (const auto& [name, kernels] : runnable(type)) {
          EXPECT_TRUE(same_bits(product(*kernels, x, w), expected))
              << name << " " << dtype_info(type).name << " k=" << k << " m=" << m;
        }
      }
    }
  }
}

TEST(Quant, InterleavedRowsGiveTheSameBits) {
  ThreadPool pool(1);
  for (const DType type : kFormatTypes) {
    if (!can_interleave(type)) continue;
    for (const int64_t k : {dtype_info(type).block_length, int64_t{1280}}) {
      const Tensor w = random_matrix(type, 48, k, 7);
      const Tensor interleaved = interleave(w, pool);
      for (const int64_t m : {1, 2, 15, 16, 33, 70}) {
        const Tensor x = random_tensor({m, k}, 5).to(DType::q8a);
        const std::vector<float> expected = product(scalar_kernels(), x, w);
        for (const auto& [isa, kernels] : quant_table()) {
          const auto need = static_cast<uint32_t>(isa);
          const QuantLinear kernel = kernels->interleaved[known_format(type)];
          if ((need & allowed_isas()) != need || kernel == nullptr) continue;
          std::vector<float> y(expected.size(), -1.0f);
          kernel(x.as<BlockQ8A>(), interleaved.as<uint8_t>(), y.data(), {m, 48, k, 48});
          EXPECT_TRUE(same_bits(y, expected))
              << isa_name(isa) << " " << dtype_info(type).name << " k=" << k << " m=" << m;
        }
      }
    }
  }
}

TEST(Quant, AnyNumberOfRowsGivesTheSameBits) {
  for (const DType type : kFormatTypes) {
    const int64_t k = 512;
    for (const int64_t m : {1, 3}) {
      const Tensor x = random_tensor({m, k}, 5).to(DType::q8a);
      for (int64_t n = 1; n <= 17; ++n) {
        const Tensor w = random_matrix(type, n, k, 7);
        const std::vector<float> expected = product(scalar_kernels(), x, w);
        for (const auto& [name, kernels] : runnable(type)) {
          if (n % kernels->row_multiple != 0) continue;
          EXPECT_TRUE(same_bits(product(*kernels, x, w), expected))
              << name << " " << dtype_info(type).name << " m=" << m << " n=" << n;
        }
      }
    }
  }
}

TEST(Quant, LargestIntegersDoNotOverflow) {
  for (const DType type : kFormatTypes) {
    const int64_t k = 512;
    Tensor x = Tensor::zeros(DType::q8a, {17, k});
    Tensor w = Tensor::zeros(type, {32, k});
    for (const uint8_t byte : {0x00, 0x80, 0x7f, 0xff}) {
      for (const int8_t q : {int8_t{127}, int8_t{-127}}) {
        std::memset(w.data(), byte, static_cast<size_t>(w.bytes()));
        for (int64_t b = 0; b < 17 * k / 32; ++b) {
          BlockQ8A& block = x.as<BlockQ8A>()[b];
          block.d = 1.0f;
          std::memset(block.q, q, 32);
          block.sum[0] = block.sum[1] = static_cast<int16_t>(16 * q);
        }
        for (int64_t at = 0; at < w.bytes(); at += dtype_info(type).block_bytes) {
          set_block_scales(type, w.as<uint8_t>() + at, 1.0f, 1.0f);
        }
        const std::vector<float> expected = product(scalar_kernels(), x, w);
        for (const auto& [name, kernels] : runnable(type)) {
          EXPECT_TRUE(same_bits(product(*kernels, x, w), expected))
              << name << " " << dtype_info(type).name << " " << int{byte} << " " << int{q};
        }
      }
    }
  }
}

TEST(Quant, ProductsAgreeWithDequantisedMatrices) {
  const int64_t m = 3, n = 5, k = 1024;
  const Tensor x = random_tensor({m, k}, 9).to(DType::q8a);
  const Tensor xf = x.to(DType::f32);
  for (const DType type : kFormatTypes) {
    const Tensor w = random_blocks(type, {n, k}, 10, 0.003f);
    const Tensor wf = w.to(DType::f32);
    const std::vector<float> y = product(scalar_kernels(), x, w);
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        double expected = 0.0;
        for (int64_t l = 0; l < k; ++l) {
          expected += static_cast<double>(xf.as<float>()[i * k + l]) *
                      static_cast<double>(wf.as<float>()[j * k + l]);
        }
        EXPECT_NEAR(static_cast<double>(y[static_cast<size_t>(i * n + j)]), expected, 2e-3)
            << dtype_info(type).name;
      }
    }
  }
}

// Runs an op of this family as the executor does.
void run_op(std::string_view op, const std::vector<Tensor>& inputs,
            const std::vector<Tensor>& outputs, ThreadPool& pool) {
  std::vector<TensorView> in, out;
  for (const Tensor& t : inputs) in.push_back(t.view());
  for (const Tensor& t : outputs) out.push_back(t.view());
  const Attributes attributes;
  for (const OpBinding& binding : quant_bindings()) {
    if (binding.op != op) continue;
    const auto kernel = binding.bind({attributes, in, out, pool.size()});
    if (!kernel) FAIL() << op << " has no kernel for these types";
    std::vector<std::byte> scratch(static_cast<size_t>(kernel->scratch_bytes));
    kernel->run({in, out, attributes, scratch.data(), pool});
  }
}

TEST(Quant, OpsGiveTheSameBitsForAnyThreadCountOddRowsAndMixedTypes) {
  const int64_t m = 19, k = 512;
  const Tensor x = random_tensor({m, k}, 21);
  const std::vector<int64_t> rows = {1, 15, 37, 129};
  std::vector<Tensor> inputs{x.to(DType::q8a)};
  const DType types[] = {DType::q4_k, DType::iq3_s, DType::q6_k, DType::mxfp4};
  for (size_t i = 0; i < rows.size(); ++i) {
    inputs.push_back(random_matrix(types[i], rows[i], k, 30 + i));
  }
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    const Tensor q = Tensor::zeros(DType::q8a, {m, k});
    run_op("quantize", {x}, {q}, pool);
    EXPECT_EQ(std::memcmp(q.data(), inputs[0].data(), static_cast<size_t>(q.bytes())), 0);
    std::vector<Tensor> outputs;
    outputs.reserve(rows.size());
    for (size_t i = 0; i < rows.size(); ++i) {
      if (threads == 2 && can_interleave(types[i], {rows[i], k})) {
        inputs[i + 1] = interleave(inputs[i + 1], pool);
      }
    }
    for (const int64_t n : rows) outputs.push_back(Tensor::zeros(DType::f32, {m, n}));
    run_op("linear_group", inputs, outputs, pool);
    for (size_t i = 0; i < rows.size(); ++i) {
      const std::vector<float> expected =
          product(scalar_kernels(), inputs[0], deinterleave(inputs[i + 1]));
      const Tensor alone = Tensor::zeros(DType::f32, {m, rows[i]});
      run_op("linear", {inputs[0], inputs[i + 1]}, {alone}, pool);
      for (const Tensor& y : {outputs[i], alone}) {
        EXPECT_EQ(std::memcmp(y.data(), expected.data(), static_cast<size_t>(y.bytes())), 0)
            << threads << " " << i;
      }
    }
  }
}

TEST(Quant, RowsDoNotDependOnTheirNeighboursInTheBatch) {
  const int64_t k = 256;
  const Tensor x = random_tensor({40, k}, 41).to(DType::q8a);
  for (const DType type : kFormatTypes) {
    const Tensor w = random_matrix(type, 48, k, 40);
    const QuantKernels& kernels = quant_kernels(known_format(type), 48);
    const std::vector<float> all = product(kernels, x, w);
    for (int64_t i = 0; i < 40; ++i) {
      const Tensor one = Tensor::zeros(DType::q8a, {1, k});
      std::memcpy(one.data(), x.as<BlockQ8A>() + i * k / 32, static_cast<size_t>(one.bytes()));
      const std::vector<float> alone = product(kernels, one, w);
      EXPECT_TRUE(same_bytes(alone.data(), all.data() + i * 48, 48 * sizeof(float)))
          << dtype_info(type).name;
    }
  }
}

}  // namespace
}  // namespace bantam::cpu
