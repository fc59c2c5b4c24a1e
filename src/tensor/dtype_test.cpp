#include "tensor/dtype.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tensor/tensor.h"

namespace bantam {
namespace {

TEST(DType, NamesAndGgufNumbersLeadBackToTheType) {
  for (int i = 0; i <= static_cast<int>(DType::q8a); ++i) {
    const DTypeInfo& info = dtype_info(static_cast<DType>(i));
    EXPECT_EQ(static_cast<int>(info.dtype), i);
    EXPECT_EQ(dtype_from_name(info.name), info.dtype);
    if (info.gguf_id >= 0) {
      EXPECT_EQ(dtype_from_gguf(static_cast<uint32_t>(info.gguf_id)), info.dtype);
    }
    EXPECT_NE(info.to_float, nullptr);
    const bool read_only = info.name.starts_with("iq") && !info.name.starts_with("iq4");
    EXPECT_EQ(info.from_float == nullptr, read_only) << info.name;
  }
  EXPECT_EQ(dtype_from_name("Q4_K"), DType::q4_k);
  EXPECT_EQ(dtype_from_name("q4_k_m"), std::nullopt);
  EXPECT_EQ(dtype_from_gguf(4), std::nullopt);
  EXPECT_EQ(dtype_from_gguf(0xffffffffu), std::nullopt);
}

TEST(DType, PlainConversionsKeepWhatTheTypeCanHold) {
  const std::vector<float> values = {0.0f, 1.0f, -2.0f, 100.0f, -127.0f, 0.0f};
  const auto n = static_cast<int64_t>(values.size());
  for (const DType type : {DType::f32, DType::f16, DType::bf16, DType::i32, DType::i8}) {
    const DTypeInfo& info = dtype_info(type);
    // One byte off, because rows need no alignment.
    std::vector<unsigned char> bytes(static_cast<size_t>(row_bytes(type, n)) + 1);
    std::vector<float> back(values.size());
    info.from_float(values.data(), bytes.data() + 1, n);
    info.to_float(bytes.data() + 1, back.data(), n);
    EXPECT_EQ(back, values) << info.name;
  }
}

TEST(DType, IntegersRoundToEvenAndSaturate) {
  const float values[] = {0.5f, 1.5f, -2.5f, 1e20f, -1e20f, std::nanf("")};
  int8_t bytes[6];
  int32_t words[6];
  dtype_info(DType::i8).from_float(values, bytes, 6);
  dtype_info(DType::i32).from_float(values, words, 6);
  const int8_t expected_bytes[] = {0, 2, -2, 127, -128, 0};
  const int32_t expected_words[] = {0, 2, -2, 2147483647, std::numeric_limits<int32_t>::min(), 0};
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(bytes[i], expected_bytes[i]);
    EXPECT_EQ(words[i], expected_words[i]);
  }
}

}  // namespace
}  // namespace bantam
