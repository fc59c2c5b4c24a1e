#include "base/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace bantam {
namespace {

// Value of a finite f16 by its definition.
double f16_value(uint16_t h) {
  const int exponent = (h >> 10) & 31;
  const int mantissa = h & 1023;
  const double magnitude =
      exponent ? std::ldexp(1024 + mantissa, exponent - 25) : std::ldexp(mantissa, -24);
  return h & 0x8000 ? -magnitude : magnitude;
}

TEST(Half, EveryF16ComesBackFromFloat) {
  for (uint32_t h = 0; h < 0x10000; ++h) {
    const auto half = static_cast<uint16_t>(h);
    const float x = f16_to_float(half);
    if ((h & 0x7fff) > 0x7c00) {
      EXPECT_TRUE(std::isnan(x));
      EXPECT_TRUE(std::isnan(f16_to_float(float_to_f16(x))));
      continue;
    }
    EXPECT_EQ(float_to_f16(x), half);
    if ((h & 0x7fff) != 0x7c00) {
      EXPECT_EQ(static_cast<double>(x), f16_value(half));
    }
  }
}

TEST(Half, F16RoundsToNearestEvenBetweenAllNeighbours) {
  for (uint32_t h = 0; h < 0x7bff; ++h) {
    const auto low = static_cast<uint16_t>(h), high = static_cast<uint16_t>(h + 1);
    const auto middle = static_cast<float>((f16_value(low) + f16_value(high)) / 2);
    EXPECT_EQ(float_to_f16(middle), h % 2 ? high : low);
    EXPECT_EQ(float_to_f16(std::nextafter(middle, 0.0f)), low);
    EXPECT_EQ(float_to_f16(std::nextafter(middle, 1e9f)), high);
    EXPECT_EQ(float_to_f16(-middle), (h % 2 ? high : low) | 0x8000);
  }
  EXPECT_EQ(float_to_f16(65519.0f), 0x7bff);
  EXPECT_EQ(float_to_f16(65520.0f), 0x7c00);
  EXPECT_EQ(float_to_f16(std::numeric_limits<float>::infinity()), 0x7c00);
}

TEST(Half, Bf16RoundsToNearestEvenAndKeepsNaN) {
  EXPECT_EQ(float_to_bf16(1.0f), 0x3f80);
  EXPECT_EQ(float_to_bf16(bits_float(0x3f808000)), 0x3f80);
  EXPECT_EQ(float_to_bf16(bits_float(0x3f808001)), 0x3f81);
  EXPECT_EQ(float_to_bf16(bits_float(0x3f818000)), 0x3f82);
  EXPECT_EQ(float_to_bf16(std::numeric_limits<float>::max()), 0x7f80);
  EXPECT_TRUE(std::isnan(bf16_to_float(float_to_bf16(bits_float(0x7f800001)))));
  EXPECT_TRUE(std::isnan(bf16_to_float(float_to_bf16(bits_float(0xffffffff)))));
}

}  // namespace
}  // namespace bantam
