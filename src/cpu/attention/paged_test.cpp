// Caches in pages against cells in order, to the bit.
#include <gtest/gtest.h>

#include "cpu/attention/reference.h"

namespace bantam::cpu::attention {
namespace {

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.bytes() == b.bytes() &&
         std::memcmp(a.data(), b.data(), static_cast<size_t>(a.bytes())) == 0;
}

const Extents kExtents{4, 2, 64, 2, 640};

// A piece of a prompt, a step of another text, and padding.
Case mixed(DType cache) {
  std::vector<int32_t> sequences{1, -1}, positions{639, 5};
  for (int32_t at = 250; at < 340; ++at) {
    sequences.push_back(0);
    positions.push_back(at);
  }
  return Case(kExtents, sequences, positions, DType::f32, cache).with_key_groups();
}
Case step(DType cache) {
  return Case(kExtents, {0, 1}, {600, 130}, DType::f32, cache).with_key_groups();
}

// The same step over pages; those that no row looks into are not there.
Case paged(const Case& c) {
  Case p = c;
  return p.with_pages([&](int64_t sequence, int64_t block) {
    for (int64_t n = 0; n < c.rows(); ++n) {
      if (c.sequences.as<int32_t>()[n] != sequence) continue;
      for (int64_t cell = block * kBlock; cell < (block + 1) * kBlock; ++cell)
        if (c.sees(n, cell)) return true;
    }
    return false;
  });
}

void expect_same(Case plain, Case pages) {
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    plain.forward(pool);
    pages.forward(pool);
    EXPECT_TRUE(same_bits(plain.out, pages.out)) << threads;
    EXPECT_TRUE(same_bits(plain.lse, pages.lse)) << threads;
  }
}

class PagedAttention : public testing::TestWithParam<DType> {};

TEST_P(PagedAttention, HasTheBitsOfCellsInOrder) {
  for (Case c : {mixed(GetParam()), step(GetParam())}) {
    expect_same(c, paged(c));
    c.with_softcap(5).with_sinks().with_bias();
    expect_same(c, paged(c));
  }
}

TEST_P(PagedAttention, NeedsNoMorePagesThanAWindowSees) {
  for (const int64_t window : {1, 65, 100, 300})
    for (const int64_t keep : {0, 64, 192})
      for (Case c : {mixed(GetParam()), step(GetParam())}) {
        c.with_window(window).with_kept(keep);
        expect_same(c, paged(c));
      }
}

TEST_P(PagedAttention, WritesRowsToTheirPages) {
  const DType type = GetParam();
  const Tensor x = random_tensor({4, 2, 64}, DType::f32, 7);
  const Tensor sequences = index_tensor({1, 0, 0, -1}), positions = index_tensor({70, 3, 639, 4});
  Case c = step(type);
  Case pages = c;
  pages.with_pages([](int64_t sequence, int64_t block) { return sequence == 1 || block < 9; });
  ThreadPool pool(2);
  for (Case* each : {&c, &pages}) {
    std::vector<TensorView> inputs{each->k.view(), x.view(), sequences.view(), positions.view()};
    if (each->pages.defined()) inputs.push_back(each->pages.view());
    const TensorView outputs[] = {each->k.view()};
    run("cache_write", {}, inputs, outputs, pool);
  }
  // What lies in each page; the row of block 9 of sequence 0 has no place.
  const int64_t blocks = kExtents.C / kBlock, bytes = c.k.bytes() / (2 * blocks);
  for (int64_t i = 0; i < 2 * blocks; ++i) {
    const int32_t page = pages.pages.as<int32_t>()[i];
    ASSERT_EQ(page < 0, i == 9);
    if (page < 0) continue;
    EXPECT_EQ(std::memcmp(c.page_of(c.k, i).data(), pages.k.as<char>() + page * bytes,
                          static_cast<size_t>(bytes)),
              0)
        << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Types, PagedAttention,
                         testing::Values(DType::f32, DType::f16, DType::bf16, DType::q8_0,
                                         DType::q4_0),
                         [](const auto& test) { return std::string(dtype_info(test.param).name); });

TEST(KeptCells, CountBesideAWindow) {
  ThreadPool pool(2);
  for (const int64_t window : {1, 50, 300})
    for (const int64_t keep : {64, 256}) {
      Case c(kExtents, {0, 0, 0, 1, 1}, {10, 63, 400, 120, 639}, DType::f32, DType::f32);
      c.with_window(window).with_kept(keep);
      c.forward(pool);
      const Reference r(c);
      EXPECT_LT(distance(c.out, r.out), 2e-6) << window << ' ' << keep;
      EXPECT_LT(distance(c.lse, r.lse), 1e-6);
    }
}

TEST(KeptCells, HaveTheSameBitsForEverySplitOfThePrompt) {
  ThreadPool pool(2);
  std::vector<int32_t> sequences(600, 0), positions;
  for (int32_t at = 0; at < 600; ++at) positions.push_back(at);
  Case whole(kExtents, sequences, positions, DType::f32, DType::f16);
  whole.with_key_groups().with_window(90).with_kept(64);
  whole.forward(pool);
  const int64_t width = whole.out.bytes() / whole.rows();
  for (const int64_t length : {1, 7, 64})
    for (int64_t first = 0; first < 600; first += length == 1 ? 23 : length) {
      Case part = whole.slice(first, std::min<int64_t>(600, first + length));
      part.forward(pool);
      ASSERT_EQ(std::memcmp(whole.out.as<char>() + first * width, part.out.data(),
                            static_cast<size_t>(part.out.bytes())),
                0)
          << first;
    }
}

}  // namespace
}  // namespace bantam::cpu::attention
