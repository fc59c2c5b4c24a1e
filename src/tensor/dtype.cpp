#include "tensor/dtype.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "base/error.h"
#include "base/half.h"
#include "tensor/blocks.h"
#include "tensor/quantize.h"
#include "tensor/unpack.h"

namespace bantam {

namespace {

// Rows need no alignment, so elements are copied in and out byte-wise.
template <typename T, float (*convert)(T)>
void decode(const void* source, float* destination, int64_t n) {
  const auto* bytes = static_cast<const unsigned char*>(source);
  for (int64_t i = 0; i < n; ++i) {
    T value;
    std::memcpy(&value, bytes + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
    destination[i] = convert(value);
  }
}

template <typename T, T (*convert)(float)>
void encode(const float* source, void* destination, int64_t n) {
  auto* bytes = static_cast<unsigned char*>(destination);
  for (int64_t i = 0; i < n; ++i) {
    const T value = convert(source[i]);
    std::memcpy(bytes + i * static_cast<int64_t>(sizeof(T)), &value, sizeof(T));
  }
}

float same(float x) {
  return x;
}
float i32_to_float(int32_t x) {
  return static_cast<float>(x);
}
float i8_to_float(int8_t x) {
  return static_cast<float>(x);
}

// Nearest integer, ties to even, saturating; NaN becomes 0.
int32_t float_to_i32(float x) {
  if (std::isnan(x)) return 0;
  const double rounded = std::nearbyint(static_cast<double>(x));
  return static_cast<int32_t>(std::clamp(rounded, -2147483648.0, 2147483647.0));
}
int8_t float_to_i8(float x) {
  return static_cast<int8_t>(std::clamp(float_to_i32(x), -128, 127));
}

template <typename T>
constexpr int64_t kBytes = static_cast<int64_t>(sizeof(T));

// In the order of DType.
constexpr DTypeInfo kTypes[] = {
    {DType::f32, "f32", 1, 4, 0, false, decode<float, same>, encode<float, same>},
    {DType::f16, "f16", 1, 2, 1, false, decode<uint16_t, f16_to_float>,
     encode<uint16_t, float_to_f16>},
    {DType::bf16, "bf16", 1, 2, 30, false, decode<uint16_t, bf16_to_float>,
     encode<uint16_t, float_to_bf16>},
    {DType::i32, "i32", 1, 4, 26, false, decode<int32_t, i32_to_float>,
     encode<int32_t, float_to_i32>},
    {DType::i8, "i8", 1, 1, 24, false, decode<int8_t, i8_to_float>, encode<int8_t, float_to_i8>},
    {DType::q8_0, "q8_0", 32, kBytes<BlockQ8_0>, 8, true, q8_0_to_float, q8_0_from_float},
    {DType::q4_0, "q4_0", 32, kBytes<BlockQ4_0>, 2, true, q4_0_to_float, q4_0_from_float},
    {DType::q4_1, "q4_1", 32, kBytes<BlockQ4_1>, 3, true, q4_1_to_float, q4_1_from_float},
    {DType::q4_k, "q4_k", 256, kBytes<BlockQ4_K>, 12, true, q4_k_to_float, q4_k_from_float},
    {DType::q5_k, "q5_k", 256, kBytes<BlockQ5_K>, 13, true, q5_k_to_float, q5_k_from_float},
    {DType::q6_k, "q6_k", 256, kBytes<BlockQ6_K>, 14, true, q6_k_to_float, q6_k_from_float},
    {DType::q5_0, "q5_0", 32, kBytes<BlockQ5_0>, 6, true, unpack_to_float<BlockQ5_0>,
     q5_0_from_float},
    {DType::q5_1, "q5_1", 32, kBytes<BlockQ5_1>, 7, true, unpack_to_float<BlockQ5_1>,
     q5_1_from_float},
    {DType::q2_k, "q2_k", 256, kBytes<BlockQ2_K>, 10, true, unpack_to_float<BlockQ2_K>,
     q2_k_from_float},
    {DType::q3_k, "q3_k", 256, kBytes<BlockQ3_K>, 11, true, unpack_to_float<BlockQ3_K>,
     q3_k_from_float},
    {DType::tq1_0, "tq1_0", 256, kBytes<BlockTQ1_0>, 34, true, unpack_to_float<BlockTQ1_0>,
     tq1_0_from_float},
    {DType::tq2_0, "tq2_0", 256, kBytes<BlockTQ2_0>, 35, true, unpack_to_float<BlockTQ2_0>,
     tq2_0_from_float},
    {DType::iq4_nl, "iq4_nl", 32, kBytes<BlockIQ4_NL>, 20, true, unpack_to_float<BlockIQ4_NL>,
     iq4_nl_from_float},
    {DType::iq4_xs, "iq4_xs", 256, kBytes<BlockIQ4_XS>, 23, true, unpack_to_float<BlockIQ4_XS>,
     iq4_xs_from_float},
    {DType::mxfp4, "mxfp4", 32, kBytes<BlockMXFP4>, 39, true, unpack_to_float<BlockMXFP4>,
     mxfp4_from_float},
    {DType::iq2_xxs, "iq2_xxs", 256, kBytes<BlockIQ2_XXS>, 16, true, unpack_to_float<BlockIQ2_XXS>,
     nullptr},
    {DType::iq2_xs, "iq2_xs", 256, kBytes<BlockIQ2_XS>, 17, true, unpack_to_float<BlockIQ2_XS>,
     nullptr},
    {DType::iq2_s, "iq2_s", 256, kBytes<BlockIQ2_S>, 22, true, unpack_to_float<BlockIQ2_S>,
     nullptr},
    {DType::iq3_xxs, "iq3_xxs", 256, kBytes<BlockIQ3_XXS>, 18, true, unpack_to_float<BlockIQ3_XXS>,
     nullptr},
    {DType::iq3_s, "iq3_s", 256, kBytes<BlockIQ3_S>, 21, true, unpack_to_float<BlockIQ3_S>,
     nullptr},
    {DType::iq1_s, "iq1_s", 256, kBytes<BlockIQ1_S>, 19, true, unpack_to_float<BlockIQ1_S>,
     nullptr},
    {DType::iq1_m, "iq1_m", 256, kBytes<BlockIQ1_M>, 29, true, unpack_to_float<BlockIQ1_M>,
     nullptr},
    {DType::q8a, "q8a", 32, kBytes<BlockQ8A>, -1, true, q8a_to_float, q8a_from_float},
};

}  // namespace

const DTypeInfo& dtype_info(DType dtype) {
  const auto index = static_cast<size_t>(dtype);
  BANTAM_ASSERT(index < std::size(kTypes));
  return kTypes[index];
}

std::optional<DType> dtype_from_name(std::string_view name) {
  std::string lower(name);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  for (const DTypeInfo& info : kTypes) {
    if (info.name == lower) return info.dtype;
  }
  return std::nullopt;
}

std::optional<DType> dtype_from_gguf(uint32_t gguf_id) {
  for (const DTypeInfo& info : kTypes) {
    if (info.gguf_id >= 0 && static_cast<uint32_t>(info.gguf_id) == gguf_id) return info.dtype;
  }
  return std::nullopt;
}

}  // namespace bantam
