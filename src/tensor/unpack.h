#pragma once

#include <cstdint>
#include <cstring>

#include "tensor/blocks.h"

namespace bantam {

// A block of any of the formats below as integers: element i is
//   d * (scale[i / 16] * q[i])  or, for the formats with minima,
//   d * (scale[i / 16] * q[i]) + m * minimum[i / 16].
// The products are exact in float.
struct UnpackedBlock {
  float d, m;
  int8_t scale[16], minimum[16];
  int8_t q[256];
};

void unpack(const BlockQ5_0& block, UnpackedBlock& out);
void unpack(const BlockQ5_1& block, UnpackedBlock& out);
void unpack(const BlockQ2_K& block, UnpackedBlock& out);
void unpack(const BlockQ3_K& block, UnpackedBlock& out);
void unpack(const BlockTQ1_0& block, UnpackedBlock& out);
void unpack(const BlockTQ2_0& block, UnpackedBlock& out);
void unpack(const BlockIQ4_NL& block, UnpackedBlock& out);
void unpack(const BlockIQ4_XS& block, UnpackedBlock& out);
void unpack(const BlockMXFP4& block, UnpackedBlock& out);
void unpack(const BlockIQ2_XXS& block, UnpackedBlock& out);
void unpack(const BlockIQ2_XS& block, UnpackedBlock& out);
void unpack(const BlockIQ2_S& block, UnpackedBlock& out);
void unpack(const BlockIQ3_XXS& block, UnpackedBlock& out);
void unpack(const BlockIQ3_S& block, UnpackedBlock& out);
void unpack(const BlockIQ1_S& block, UnpackedBlock& out);
void unpack(const BlockIQ1_M& block, UnpackedBlock& out);

template <class Block>
inline constexpr int kBlockLength = 256;
template <>
inline constexpr int kBlockLength<BlockQ5_0> = 32;
template <>
inline constexpr int kBlockLength<BlockQ5_1> = 32;
template <>
inline constexpr int kBlockLength<BlockIQ4_NL> = 32;
template <>
inline constexpr int kBlockLength<BlockMXFP4> = 32;

template <class Block>
inline constexpr bool kHasMinima = false;
template <>
inline constexpr bool kHasMinima<BlockQ5_1> = true;
template <>
inline constexpr bool kHasMinima<BlockQ2_K> = true;

// The halves of a group of 32 have scales of their own; elsewhere both are the same.
template <class Block>
inline constexpr bool kHasHalves = false;
template <>
inline constexpr bool kHasHalves<BlockQ2_K> = true;
template <>
inline constexpr bool kHasHalves<BlockQ3_K> = true;
template <>
inline constexpr bool kHasHalves<BlockIQ2_XS> = true;
template <>
inline constexpr bool kHasHalves<BlockIQ2_S> = true;
template <>
inline constexpr bool kHasHalves<BlockIQ1_M> = true;

// DTypeInfo::to_float of these formats.
template <class Block>
void unpack_to_float(const void* source, float* y, int64_t n) {
  const auto* bytes = static_cast<const unsigned char*>(source);
  UnpackedBlock u;
  for (int64_t b = 0; b < n / kBlockLength<Block>; ++b, y += kBlockLength<Block>) {
    Block block;
    std::memcpy(&block, bytes + b * int64_t{sizeof block}, sizeof block);
    unpack(block, u);
    for (int i = 0; i < kBlockLength<Block>; ++i) {
      const int half = i / 16;
      y[i] = u.d * static_cast<float>(u.scale[half] * u.q[i]);
      if constexpr (kHasMinima<Block>) y[i] += u.m * static_cast<float>(u.minimum[half]);
    }
  }
}

}  // namespace bantam
