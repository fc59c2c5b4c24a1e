#include <fmt/format.h>

#include "cpu/elementwise/test_kit.h"
#include "cpu/embedding/table.h"
#include "tensor/random_blocks.h"

namespace bantam::cpu {
namespace {

using namespace test;

constexpr DType kTypes[] = {DType::f32, DType::bf16};

Tensor ids_of(int64_t n, uint32_t vocab, uint64_t seed) {
  Tensor t = Tensor::zeros(DType::i32, {n});
  Random random(seed);
  for (int64_t i = 0; i < n; ++i) t.as<int32_t>()[i] = static_cast<int32_t>(random.below(vocab));
  return t;
}

Tensor embedding(const Tensor& table, const Tensor& ids, DType out, int threads = 1) {
  Tensor y = Tensor::zeros(out, {ids.shape()[0], table.shape()[1]});
  run_op(embedding_bindings(), "embedding", {{"out", static_cast<int64_t>(out)}}, {table, ids}, {y},
         threads);
  return y;
}

Tensor embedding_grad(const Tensor& ids, const Tensor& dy, int64_t vocab, int threads = 1) {
  Tensor d = sample_tensor(DType::f32, {vocab, dy.shape()[1]}, 99);  // must be written over
  run_op(embedding_bindings(), "embedding_grad", {{"vocab", vocab}}, {ids, dy}, {d}, threads);
  return d;
}

TEST(Embedding, GathersRowsOfTablesOfEveryType) {
  const Tensor plain = sample_tensor(DType::f32, {10, 256}, 1), ids = ids_of(30, 10, 2);
  for (int i = 0; i < static_cast<int>(DType::q8a); ++i) {
    const auto dtype = static_cast<DType>(i);
    const bool writes = dtype_info(dtype).from_float != nullptr;
    const Tensor table = writes ? plain.to(dtype) : random_blocks(dtype, {10, 256}, 3, 0.01f);
    const Tensor values = table.to(DType::f32);
    for (const DType out : kTypes) {
      const Tensor expected = values.to(out), y = embedding(table, ids, out, 3);
      const auto bytes = static_cast<size_t>(row_bytes(out, 256));
      for (int64_t n = 0; n < 30; ++n) {
        const auto id = static_cast<size_t>(ids.as<int32_t>()[n]);
        EXPECT_EQ(std::memcmp(y.as<char>() + static_cast<size_t>(n) * bytes,
                              expected.as<char>() + id * bytes, bytes),
                  0)
            << dtype_info(dtype).name << " row " << n;
      }
    }
  }
}

TEST(EmbeddingGrad, AgreesWithFiniteDifferences) {
  const Tensor table = sample_tensor(DType::f32, {7, 5}, 1), ids = ids_of(12, 6, 2);
  const Tensor dy = sample_tensor(DType::f32, {12, 5}, 3);
  const Tensor d = embedding_grad(ids, dy, 7);
  expect_gradient(table, d, dy, [&] { return embedding(table, ids, DType::f32); });
}

TEST(EmbeddingGrad, OfIdsThatDoNotOccurIsZero) {
  const Tensor dy = sample_tensor(DType::f32, {4, 33}, 3);
  const Tensor d = embedding_grad(Tensor::zeros(DType::i32, {4}), dy, 3);
  for (int64_t i = 33; i < 99; ++i) EXPECT_EQ(d.as<float>()[i], 0);
}

TEST(EmbeddingGrad, DoesNotDependOnTheNumberOfThreads) {
  const Tensor ids = ids_of(3000, 500, 1), dy = sample_tensor(DType::bf16, {3000, 129}, 2);
  expect_same(embedding_grad(ids, dy, 500, 1), embedding_grad(ids, dy, 500, 3));
}

class EmbeddingKernelsOf : public testing::TestWithParam<KernelEntry<const EmbeddingKernels*>> {
 protected:
  void SetUp() override { BANTAM_SKIP_UNLESS_AVAILABLE(GetParam().isa); }
};

TEST_P(EmbeddingKernelsOf, GivesTheBitsOfScalarForOddWidths) {
  const std::vector<int32_t> rows = {3, 0, 3, 7};
  for (int64_t columns = 1; columns <= 150; ++columns) {
    for (size_t a = 0; a < 2; ++a) {
      Elements dy = Elements::sample(kTypes[a], 8 * columns, 1);
      if (columns % 7 == 0) add_specials(dy);
      for (const int64_t count : {0, 1, 4}) {
        Elements got(DType::f32, columns), expected = got;
        GetParam().function->gather_sum[a](dy.data(), columns, rows.data(), count, got.f32());
        scalar::kEmbeddingKernels.gather_sum[a](dy.data(), columns, rows.data(), count,
                                                expected.f32());
        expect_same(expected, got, fmt::format("{} columns, {} rows", columns, count));
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(EveryIsa, EmbeddingKernelsOf,
                         testing::ValuesIn(embedding_table().begin(), embedding_table().end()),
                         [](const auto& row) { return std::string(isa_name(row.param.isa)); });

}  // namespace
}  // namespace bantam::cpu
