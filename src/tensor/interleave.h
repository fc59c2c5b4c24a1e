#pragma once

// Where the bytes of a block go when 16 rows are interleaved; see tensor/layout.h. Plain C types
// only, so that kernel files may include it.

#include <stddef.h>
#include <stdint.h>

#include "tensor/blocks.h"

namespace bantam {

// A field of one or two bytes that no piece of four bytes may cut; bytes 0: there is none.
struct SmallField {
  int at, bytes;
};

template <class Block>
inline constexpr SmallField kSmallField{-1, 0};
template <>
inline constexpr SmallField kSmallField<BlockQ8_0>{0, 2};
template <>
inline constexpr SmallField kSmallField<BlockQ4_0>{0, 2};
template <>
inline constexpr SmallField kSmallField<BlockQ5_0>{0, 2};
template <>
inline constexpr SmallField kSmallField<BlockIQ4_NL>{0, 2};
template <>
inline constexpr SmallField kSmallField<BlockQ6_K>{208, 2};
template <>
inline constexpr SmallField kSmallField<BlockQ3_K>{108, 2};
template <>
inline constexpr SmallField kSmallField<BlockTQ1_0>{52, 2};
template <>
inline constexpr SmallField kSmallField<BlockTQ2_0>{64, 2};
template <>
inline constexpr SmallField kSmallField<BlockMXFP4>{0, 1};

// Calls piece(o, bytes) for each piece of a block of so many bytes.
template <class Piece>
inline void for_each_piece(SmallField small, int block_bytes, Piece&& piece) {
  for (int o = 0; o < block_bytes;) {
    const int bytes = o == small.at ? small.bytes : 4;
    piece(o, bytes);
    o += bytes;
  }
}

// Block of row r (below 16) from 16 interleaved ones.
inline void gather_block(const uint8_t* group, SmallField small, int block_bytes, int r,
                         uint8_t* out) {
  for_each_piece(small, block_bytes, [&](int o, int bytes) {
    __builtin_memcpy(out + o, group + kRowGroup * o + r * bytes, (size_t)bytes);
  });
}

}  // namespace bantam
