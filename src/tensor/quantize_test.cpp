#include "tensor/quantize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/half.h"
#include "base/random.h"
#include "tensor/blocks.h"
#include "tensor/dtype.h"

namespace bantam {
namespace {

std::vector<float> decoded(DType type, const void* blocks, int64_t n) {
  std::vector<float> values(static_cast<size_t>(n));
  dtype_info(type).to_float(blocks, values.data(), n);
  return values;
}

std::vector<float> round_trip(DType type, const std::vector<float>& values) {
  const auto n = static_cast<int64_t>(values.size());
  std::vector<unsigned char> bytes(static_cast<size_t>(row_bytes(type, n)));
  dtype_info(type).from_float(values.data(), bytes.data(), n);
  return decoded(type, bytes.data(), n);
}

// rms(error) / rms(x) of Gaussian values.
double relative_error(DType type) {
  Random random(11);
  std::vector<float> x(256 * 64);
  for (float& v : x) v = random.normal() * 0.02f;
  const std::vector<float> y = round_trip(type, x);
  double error = 0, norm = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double e = static_cast<double>(y[i]) - static_cast<double>(x[i]);
    error += e * e;
    norm += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  }
  return std::sqrt(error / norm);
}

TEST(Quantize, ErrorOfGaussianValuesStaysBelowTheBoundOfEachFormat) {
  EXPECT_LT(relative_error(DType::q8_0), 0.006);
  EXPECT_LT(relative_error(DType::q8a), 0.006);
  EXPECT_LT(relative_error(DType::q6_k), 0.019);
  EXPECT_LT(relative_error(DType::q5_k), 0.038);
  EXPECT_LT(relative_error(DType::q4_k), 0.076);
  EXPECT_LT(relative_error(DType::q4_1), 0.079);
  EXPECT_LT(relative_error(DType::q4_0), 0.089);
  EXPECT_LT(relative_error(DType::q5_0), 0.043);
  EXPECT_LT(relative_error(DType::q5_1), 0.036);
  EXPECT_LT(relative_error(DType::q2_k), 0.28);
  EXPECT_LT(relative_error(DType::q3_k), 0.15);
  EXPECT_LT(relative_error(DType::iq4_nl), 0.076);
  EXPECT_LT(relative_error(DType::iq4_xs), 0.077);
  EXPECT_LT(relative_error(DType::mxfp4), 0.115);
  EXPECT_LT(relative_error(DType::tq1_0), 0.46);
  EXPECT_LT(relative_error(DType::tq2_0), 0.46);
}

// What can be written.
constexpr DType kBlockTypes[] = {DType::q8_0,   DType::q4_0,   DType::q4_1,  DType::q4_k,
                                 DType::q5_k,   DType::q6_k,   DType::q5_0,  DType::q5_1,
                                 DType::q2_k,   DType::q3_k,   DType::tq1_0, DType::tq2_0,
                                 DType::iq4_nl, DType::iq4_xs, DType::mxfp4, DType::q8a};

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double e = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    sum += e * e;
  }
  return std::sqrt(sum);
}

TEST(Quantize, WhatWasQuantisedOnceHardlyChangesTheSecondTime) {
  Random random(12);
  std::vector<float> x(256 * 64);
  for (float& v : x) v = random.normal() * 0.02f;
  for (const DType type : kBlockTypes) {
    const std::vector<float> once = round_trip(type, x), twice = round_trip(type, once);
    // The scales of K types are rounded, and the second search may find others.
    const bool rounded_scales = dtype_info(type).name.ends_with("k") || type == DType::iq4_xs;
    if (rounded_scales) {
      EXPECT_LT(distance(once, twice), 0.2 * distance(x, once)) << dtype_info(type).name;
    } else {
      EXPECT_EQ(once, twice) << dtype_info(type).name;
    }
  }
}

TEST(Quantize, ZerosStayZeroAndTinyHugeOrBrokenValuesDoNoHarm) {
  for (const DType type : kBlockTypes) {
    for (const float x : round_trip(type, std::vector<float>(512, 0.0f))) EXPECT_EQ(x, 0.0f);
    for (const float scale : {1e-42f, 1e-30f, 1e-8f, 1e7f, 1e30f}) {
      std::vector<float> x(512);
      for (size_t i = 0; i < x.size(); ++i) x[i] = scale * static_cast<float>(i % 37) - scale;
      for (const float y : round_trip(type, x)) {
        EXPECT_TRUE(std::isfinite(y)) << dtype_info(type).name << " " << scale;
      }
      x[3] = std::nanf("");
      x[300] = -INFINITY;
      round_trip(type, x);
    }
  }
}

TEST(Quantize, ConstantsSurvive) {
  for (const DType type : kBlockTypes) {
    for (const float value : {1.0f, -1.0f, 0.37f}) {
      for (const float y : round_trip(type, std::vector<float>(256, value))) {
        // A power of two times 0, 1/2, 1, 3/2, 2, 3, 4 or 6 is at most a seventh off.
        const float most = type == DType::mxfp4 ? value * value / 7.0f : 0.01f;
        EXPECT_NEAR(y, value, most) << dtype_info(type).name;
      }
    }
  }
}

// Random blocks that use the full range of the format decode, and encode to the same values.
template <typename Block, typename Fill>
void expect_exact(DType type, Fill fill) {
  Random random(5);
  for (int round = 0; round < 50; ++round) {
    Block block{};
    fill(block, random);
    const std::vector<float> values = decoded(type, &block, dtype_info(type).block_length);
    EXPECT_EQ(round_trip(type, values), values) << dtype_info(type).name;
  }
}

template <size_t N>
void randomise(uint8_t (&bytes)[N], Random& random) {
  for (uint8_t& b : bytes) b = static_cast<uint8_t>(random.next());
}

TEST(Quantize, RepresentableBlocksComeBackExactly) {
  expect_exact<BlockQ8_0>(DType::q8_0, [](BlockQ8_0& b, Random& r) {
    b.d = float_to_f16(0.01f + r.uniform());
    for (int8_t& q : b.q) q = static_cast<int8_t>(static_cast<int>(r.below(255)) - 127);
    b.q[7] = -127;
  });
  expect_exact<BlockQ4_0>(DType::q4_0, [](BlockQ4_0& b, Random& r) {
    b.d = float_to_f16(r.uniform() - 0.5f);
    randomise(b.q, r);
    b.q[3] = 0x50;  // the end of the range
  });
  expect_exact<BlockQ4_1>(DType::q4_1, [](BlockQ4_1& b, Random& r) {
    b.d = float_to_f16(0.01f + r.uniform());
    b.m = float_to_f16(r.uniform() - 0.5f);
    randomise(b.q, r);
    b.q[3] = 0xf0;
  });
}

// Sub-blocks with different scales, the largest with all bits set, each using all levels.
template <typename Block>
void fill_k(Block& b, Random& r) {
  b.d = float_to_f16(0.001f + 0.01f * r.uniform());
  b.dmin = float_to_f16(0.001f + 0.01f * r.uniform());
  for (uint8_t& s : b.scales) s = 0xff;  // every scale and minimum 63
  randomise(b.q, r);
  for (int c = 0; c < 4; ++c) {
    b.q[c * 32] = 0x00;
    b.q[c * 32 + 1] = 0xff;
  }
}

TEST(Quantize, RepresentableSuperBlocksComeBackExactly) {
  expect_exact<BlockQ4_K>(DType::q4_k, fill_k<BlockQ4_K>);
  expect_exact<BlockQ5_K>(DType::q5_k, [](BlockQ5_K& b, Random& r) {
    fill_k(b, r);
    randomise(b.high, r);
    b.high[0] = 0x00;
    b.high[1] = 0xff;
  });
  expect_exact<BlockQ6_K>(DType::q6_k, [](BlockQ6_K& b, Random& r) {
    b.d = float_to_f16(0.001f + 0.01f * r.uniform());
    randomise(b.low, r);
    randomise(b.high, r);
    for (int8_t& s : b.scales) s = -128;
    for (int i = 0; i < 128; i += 16) b.low[i] = 0x00;  // q = 0, the end of the range, in every
    for (int i = 0; i < 64; i += 16) b.high[i] = 0x00;  // sub-block
  });
}

TEST(Quantize, RepresentableBlocksOfTablesAndTritsComeBackExactly) {
  expect_exact<BlockQ5_0>(DType::q5_0, [](BlockQ5_0& b, Random& r) {
    b.d = float_to_f16(r.uniform() - 0.5f);
    randomise(b.q, r);
    randomise(b.high, r);
    b.q[0] = 0x00;  // element 0 and element 16 at the end of the range
    b.high[0] = b.high[2] = 0x00;
  });
  expect_exact<BlockIQ4_NL>(DType::iq4_nl, [](BlockIQ4_NL& b, Random& r) {
    b.d = float_to_f16(r.uniform() - 0.5f);
    randomise(b.q, r);
    b.q[3] = 0xf0;
  });
  expect_exact<BlockMXFP4>(DType::mxfp4, [](BlockMXFP4& b, Random& r) {
    b.e = static_cast<uint8_t>(100 + r.below(50));
    randomise(b.q, r);
    b.q[3] = 0x71;
  });
  expect_exact<BlockTQ2_0>(DType::tq2_0, [](BlockTQ2_0& b, Random& r) {
    b.d = float_to_f16(0.01f + r.uniform());
    for (uint8_t& q : b.q) {
      for (int i = 0; i < 4; ++i) q = static_cast<uint8_t>((q << 2) | r.below(3));
    }
  });
}

TEST(Quantize, BothTernaryFormatsHoldTheSameValues) {
  Random random(13);
  std::vector<float> x(256 * 20);
  for (float& v : x) v = random.normal();
  const std::vector<float> y = round_trip(DType::tq1_0, x);
  EXPECT_EQ(y, round_trip(DType::tq2_0, x));
  EXPECT_NE(std::count(y.begin(), y.end(), 0.0f), 0);
  // The best of all d: no other one comes nearer.
  for (const float factor : {0.8f, 0.95f, 1.05f, 1.25f}) {
    const float d = *std::max_element(y.begin(), y.begin() + 256) * factor;
    double error = 0, least = 0, norm = 0;
    for (size_t i = 0; i < 256; ++i) norm += static_cast<double>(x[i] * x[i]);
    for (size_t i = 0; i < 256; ++i) {
      const double weight = std::sqrt(norm / 256) + static_cast<double>(std::fabs(x[i]));
      const float q = std::clamp(std::nearbyint(x[i] / d), -1.0f, 1.0f);
      error += weight * std::pow(static_cast<double>(d * q - x[i]), 2);
      least += weight * std::pow(static_cast<double>(y[i] - x[i]), 2);
    }
    EXPECT_LT(least, error) << factor;
  }
}

TEST(Quantize, Q4NibblesHoldElementsJAndJPlus16) {
  BlockQ4_0 a{};
  a.d = float_to_f16(0.5f);
  std::fill(std::begin(a.q), std::end(a.q), uint8_t{0x88});
  a.q[3] = 0xf1;
  std::vector<float> expected(32, 0.0f);
  expected[3] = -3.5f;
  expected[19] = 3.5f;
  EXPECT_EQ(decoded(DType::q4_0, &a, 32), expected);

  BlockQ4_1 b{};
  b.d = float_to_f16(0.5f);
  b.m = float_to_f16(-1.0f);
  b.q[3] = 0xf2;
  std::fill(expected.begin(), expected.end(), -1.0f);
  expected[3] = 0.0f;
  expected[19] = 6.5f;
  EXPECT_EQ(decoded(DType::q4_1, &b, 32), expected);
}

TEST(Quantize, Q8DecodesAsScaleTimesByte) {
  BlockQ8_0 a{};
  a.d = float_to_f16(0.25f);
  a.q[0] = -128;
  a.q[31] = 127;
  const std::vector<float> y = decoded(DType::q8_0, &a, 32);
  EXPECT_EQ(y[0], -32.0f);
  EXPECT_EQ(y[1], 0.0f);
  EXPECT_EQ(y[31], 31.75f);
}

TEST(Quantize, KScalesAreUnpackedFromTheirTwelveBytes) {
  // Sub-block s has scale 8 s + 1 and minimum 7 s + 2, packed by hand.
  BlockQ4_K block{};
  block.d = float_to_f16(1.0f);
  block.dmin = float_to_f16(0.5f);
  const uint8_t packed[12] = {
      1 | (2 << 6),  9 | (2 << 6), 17 | (3 << 6), 25 | (3 << 6),  // 33, 41, 49, 57: high bits
      2 | (1 << 6),  9 | (2 << 6), 16 | (2 << 6), 23 | (3 << 6),  // 30, 37, 44, 51
      1 | (14 << 4), 9 | (5 << 4), 1 | (12 << 4), 9 | (3 << 4),
  };
  std::memcpy(block.scales, packed, 12);
  for (int c = 0; c < 4; ++c) block.q[c * 32 + 5] = 0xa3;
  const std::vector<float> y = decoded(DType::q4_k, &block, 256);
  for (int s = 0; s < 8; ++s) {
    const float scale = 8.0f * static_cast<float>(s) + 1.0f;
    const float minimum = 0.5f * (7.0f * static_cast<float>(s) + 2.0f);
    EXPECT_EQ(y[static_cast<size_t>(s * 32)], -minimum);
    EXPECT_EQ(y[static_cast<size_t>(s * 32 + 5)], scale * (s % 2 ? 10.0f : 3.0f) - minimum);
  }
}

TEST(Quantize, Q5TakesItsFifthBitFromTheHighBytes) {
  BlockQ5_K block{};
  block.d = float_to_f16(1.0f);
  std::fill(block.scales, block.scales + 4, uint8_t{1});
  std::fill(block.scales + 8, block.scales + 12, uint8_t{1});
  block.q[0] = 0x21;
  block.high[0] = 0x01;  // sub-block 0
  block.high[9] = 0x20;  // sub-block 5
  const std::vector<float> y = decoded(DType::q5_k, &block, 256);
  for (size_t i = 0; i < 256; ++i) {
    const float expected = i == 0 ? 17.0f : i == 32 ? 2.0f : i == 5 * 32 + 9 ? 16.0f : 0.0f;
    EXPECT_EQ(y[i], expected) << i;
  }
}

TEST(Quantize, Q6FindsItsBitsInTheirPlaces) {
  BlockQ6_K block{};
  block.d = float_to_f16(0.5f);
  for (int s = 0; s < 16; ++s) block.scales[s] = static_cast<int8_t>(s - 8);
  std::fill(std::begin(block.high), std::end(block.high), uint8_t{0xaa});  // q = 32: zero
  block.low[64 + 33] = 0x71;  // second half: elements 33 (1) and 33 + 64 (7)
  block.high[32 + 1] = 0xae;  // high bits of 1, 33, 65, 97: 2, 3, 2, 2
  const std::vector<float> y = decoded(DType::q6_k, &block, 256);
  for (size_t i = 0; i < 256; ++i) {
    const float scale = 0.5f * (static_cast<float>(i / 16) - 8.0f);
    const float q = i == 128 + 33 ? 49.0f - 32.0f : i == 128 + 97 ? 7.0f : 0.0f;
    EXPECT_EQ(y[i], scale * q) << i;
  }
}

TEST(Quantize, ActivationsRoundToEvenAndKeepSumsOfHalves) {
  std::vector<float> x(32, 0.0f);
  x[0] = 127.0f;
  x[1] = 2.5f;
  x[2] = -3.5f;
  x[20] = -126.6f;
  BlockQ8A block;
  q8a_from_float(x.data(), &block, 32);
  EXPECT_EQ(block.d, 1.0f);
  EXPECT_EQ(block.q[1], 2);
  EXPECT_EQ(block.q[2], -4);
  EXPECT_EQ(block.sum[0], 125);
  EXPECT_EQ(block.sum[1], -127);
  x[9] = INFINITY;
  q8a_from_float(x.data(), &block, 32);
  EXPECT_TRUE(std::isnan(block.d));
  EXPECT_EQ(block.q[0], 0);
}

}  // namespace
}  // namespace bantam
