#include "tensor/dtype.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "base/error.h"
#include "base/half.h"
#include "tensor/blocks.h"
#include "tensor/quantize.h"

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
