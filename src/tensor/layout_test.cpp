#include "tensor/layout.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "base/thread_pool.h"
#include "tensor/random_blocks.h"

namespace bantam {
namespace {

constexpr DType kTypes[] = {DType::q8_0,  DType::q4_0,  DType::q4_1,   DType::q5_0,   DType::q5_1,
                            DType::q2_k,  DType::q3_k,  DType::q4_k,   DType::q5_k,   DType::q6_k,
                            DType::tq1_0, DType::tq2_0, DType::iq4_nl, DType::iq4_xs, DType::mxfp4};

bool same_bytes(const Tensor& a, const Tensor& b) {
  return a.bytes() == b.bytes() &&
         std::memcmp(a.data(), b.data(), static_cast<size_t>(a.bytes())) == 0;
}

TEST(Layout, InterleavingKeepsEveryByteAndComesBack) {
  ThreadPool pool(2);
  for (const DType type : kTypes) {
    for (const int64_t rows : {16, 47}) {
      const Tensor w = random_blocks(type, {rows, 512}, 3, 0.01f);
      const Tensor there = interleave(w, pool);
      EXPECT_EQ(there.layout(), Layout::interleaved);
      EXPECT_EQ(there.bytes(), w.bytes());
      EXPECT_FALSE(same_bytes(there, w)) << dtype_info(type).name;
      EXPECT_TRUE(same_bytes(deinterleave(there), w)) << dtype_info(type).name;
    }
  }
}

// Byte b of row r, in a piece of u bytes that starts at o, is at 16 o + r u + (b - o).
TEST(Layout, BytesGoWhereTheHeaderSays) {
  ThreadPool pool(1);
  const Tensor w = random_blocks(DType::q4_0, {16, 64}, 3, 0.01f);
  const Tensor there = interleave(w, pool);
  const auto* from = w.as<const uint8_t>();
  const auto* to = there.as<const uint8_t>();
  for (int block = 0; block < 2; ++block) {
    for (int r = 0; r < 16; ++r) {
      const uint8_t* row = from + 36 * r + 18 * block;
      EXPECT_EQ(to[288 * block + 2 * r], row[0]);
      EXPECT_EQ(to[288 * block + 2 * r + 1], row[1]);
      EXPECT_EQ(to[288 * block + 16 * 2 + 4 * r], row[2]);
      EXPECT_EQ(to[288 * block + 16 * 14 + 4 * r + 3], row[17]);
    }
  }
}

TEST(Layout, RowsReadTheSameInBothLayouts) {
  ThreadPool pool(1);
  for (const DType type : kTypes) {
    const Tensor w = random_blocks(type, {37, 512}, 3, 0.01f);
    const Tensor there = interleave(w, pool);
    std::vector<float> a(512), b(512);
    for (const int64_t row : {0, 15, 16, 31, 32, 36}) {
      row_to_float(w.view(), row, a.data());
      row_to_float(there.view(), row, b.data());
      EXPECT_EQ(a, b) << dtype_info(type).name << " " << row;
    }
    EXPECT_TRUE(same_bytes(there.to(DType::f32), w.to(DType::f32)));
  }
}

TEST(Layout, OnlyWholeGroupsOfSeveralMatrices) {
  EXPECT_TRUE(can_interleave(DType::q4_0, {17, 32}));
  EXPECT_FALSE(can_interleave(DType::q4_0, {15, 32}));
  EXPECT_TRUE(can_interleave(DType::q4_0, {3, 32, 32}));
  EXPECT_FALSE(can_interleave(DType::q4_0, {3, 40, 32}));
  EXPECT_FALSE(can_interleave(DType::f16, {16, 32}));
  EXPECT_FALSE(can_interleave(DType::iq1_s, {16, 256}));
}

}  // namespace
}  // namespace bantam
