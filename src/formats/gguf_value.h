#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/string_table.h"

namespace bantam {

// The numbers that GGUF gives to types of metadata.
enum class GgufType : uint32_t {
  u8,
  i8,
  u16,
  i16,
  u32,
  i32,
  f32,
  boolean,
  string,
  array,
  u64,
  i64,
  f64,
};
inline constexpr uint32_t kGgufTypes = 13;
// Arrays of arrays are allowed up to this depth, by the reader and by the writer.
inline constexpr int kGgufArrayDepth = 4;
// Of tensor data, in bytes: a power of two within these limits, so that no header asks for
// gigabytes of padding.
inline constexpr uint32_t kGgufDefaultAlignment = 32;
inline constexpr uint32_t kGgufLeastAlignment = 8;
inline constexpr uint32_t kGgufMostAlignment = 65536;
constexpr bool gguf_alignment_allowed(uint32_t alignment) {
  return (alignment & (alignment - 1)) == 0 && alignment >= kGgufLeastAlignment &&
         alignment <= kGgufMostAlignment;
}

std::string_view gguf_type_name(GgufType type);  // "u32", "string", ...

// An array of one type; the alternative's index is its GgufType.
struct GgufArray {
  using Items =
      std::variant<std::vector<uint8_t>, std::vector<int8_t>, std::vector<uint16_t>,
                   std::vector<int16_t>, std::vector<uint32_t>, std::vector<int32_t>,
                   std::vector<float>, std::vector<bool>, StringTable, std::vector<GgufArray>,
                   std::vector<uint64_t>, std::vector<int64_t>, std::vector<double>>;
  Items items;

  GgufArray() = default;
  GgufArray(StringTable values)  // NOLINT(google-explicit-constructor)
      : items(std::move(values)) {}
  GgufArray(const std::vector<std::string>& values)  // NOLINT(google-explicit-constructor)
      : items(StringTable(values)) {}
  template <typename T>
    requires(!std::is_same_v<T, std::string>)
  GgufArray(std::vector<T> values)  // NOLINT(google-explicit-constructor): a value is a value
      : items(std::move(values)) {}

  [[nodiscard]] GgufType element_type() const { return static_cast<GgufType>(items.index()); }
  [[nodiscard]] size_t size() const;
  bool operator==(const GgufArray&) const = default;
};

// A metadata value; the alternative's index is its GgufType. The C++ type given decides the type in
// the file, so that `uint32_t{32}` and `32` differ.
using GgufValue = std::variant<uint8_t, int8_t, uint16_t, int16_t, uint32_t, int32_t, float, bool,
                               std::string, GgufArray, uint64_t, int64_t, double>;

inline GgufType gguf_type(const GgufValue& value) {
  return static_cast<GgufType>(value.index());
}
// As messages name it: "u32", "array of string".
std::string gguf_type_name(const GgufValue& value);

// What GGUF knows about a number of a tensor type, whether or not Bantam computes with it.
struct GgufTensorType {
  uint32_t id;
  std::string_view name;
  int64_t block_length;  // elements
  int64_t block_bytes;
};
// Null for a number that is not in the specification known here.
const GgufTensorType* gguf_tensor_type(uint32_t id);

// Added to the type number of a tensor whose rows are interleaved (tensor/layout.h). No other
// runtime knows such types, so that none takes the bytes for what they are not.
inline constexpr uint32_t kGgufInterleaved = 0x1000;

}  // namespace bantam
