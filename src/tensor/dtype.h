#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace bantam {

// Element types. The block-quantised ones are GGUF's, byte for byte. `q8a` never reaches a file: it
// is what activations are quantised to before an integer dot product (see tensor/blocks.h).
enum class DType : uint8_t {
  f32,
  f16,
  bf16,
  i32,
  i8,
  q8_0,
  q4_0,
  q4_1,
  q4_k,
  q5_k,
  q6_k,
  q5_0,
  q5_1,
  q2_k,
  q3_k,
  tq1_0,
  tq2_0,
  iq4_nl,
  iq4_xs,
  mxfp4,
  iq2_xxs,
  iq2_xs,
  iq2_s,
  iq3_xxs,
  iq3_s,
  iq1_s,
  iq1_m,
  q8a,
};

// One row per type: everything that the rest of the program needs to know about it.
struct DTypeInfo {
  DType dtype;
  std::string_view name;  // as users write it: "q4_k"
  int64_t block_length;   // elements per block, 1 for plain types
  int64_t block_bytes;
  int gguf_id;  // GGUF's type number, -1 if the type never appears in files
  bool quantized;
  // Convert n elements (n a multiple of block_length), rows need no alignment. `from_float` is null
  // for the formats that Bantam reads but does not write.
  void (*to_float)(const void* source, float* destination, int64_t n);
  void (*from_float)(const float* source, void* destination, int64_t n);
};

const DTypeInfo& dtype_info(DType dtype);
std::optional<DType> dtype_from_name(std::string_view name);  // "q4_k", any letter case
std::optional<DType> dtype_from_gguf(uint32_t gguf_id);

// Bytes of n elements stored in a row; n must be a multiple of the block length.
inline int64_t row_bytes(DType dtype, int64_t n) {
  const DTypeInfo& info = dtype_info(dtype);
  return n / info.block_length * info.block_bytes;
}

}  // namespace bantam
