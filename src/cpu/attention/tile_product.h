#pragma once

// Products of bf16 matrices by AMX tiles, for the kernels of files x86_amx.cpp only.

#include <immintrin.h>
#include <stdint.h>

namespace bantam::cpu::attention {
namespace {

// All eight tiles are 16 rows of 64 bytes: 0..3 are sums, 4 and 5 are of A, 6 and 7 of B.
struct alignas(64) TileShape {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// GCC's tile instructions do not say which memory they read.
inline void finish_stores(const void* written) {
  __asm__ volatile("" ::"r"(written) : "memory");
}

inline void configure_tiles() {
  const TileShape shape;
  finish_stores(&shape);
  _tile_loadconfig(&shape);
}

inline int64_t tiles(int64_t n, int64_t size) {
  return (n + size - 1) / size;
}

// Strides in bytes.
struct Operand {
  const uint16_t* data;
  int64_t stride;
  [[nodiscard]] const char* tile(int64_t row_tile, int64_t column_tile) const {
    return reinterpret_cast<const char*>(data) + row_tile * 16 * stride + column_tile * 64;
  }
};

template <int R, int J>
void tile_block(int64_t depth, const Operand& a, int64_t i, const Operand& b, int64_t j, char* c,
                int64_t ldc, bool accumulate) {
  if (accumulate) {
    _tile_loadd(0, c, ldc);
    if constexpr (J == 2) _tile_loadd(1, c + 64, ldc);
    if constexpr (R == 2) _tile_loadd(2, c + 16 * ldc, ldc);
    if constexpr (R == 2 && J == 2) _tile_loadd(3, c + 16 * ldc + 64, ldc);
  } else {
    _tile_zero(0);
    if constexpr (J == 2) _tile_zero(1);
    if constexpr (R == 2) _tile_zero(2);
    if constexpr (R == 2 && J == 2) _tile_zero(3);
  }
  for (int64_t k = 0; k < depth; ++k) {
    _tile_loadd(4, a.tile(i, k), a.stride);
    _tile_loadd(6, b.tile(k, j), b.stride);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (J == 2) {
      _tile_loadd(7, b.tile(k, j + 1), b.stride);
      _tile_dpbf16ps(1, 4, 7);
    }
    if constexpr (R == 2) {
      _tile_loadd(5, a.tile(i + 1, k), a.stride);
      _tile_dpbf16ps(2, 5, 6);
    }
    if constexpr (R == 2 && J == 2) _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, c, ldc);
  if constexpr (J == 2) _tile_stored(1, c + 64, ldc);
  if constexpr (R == 2) _tile_stored(2, c + 16 * ldc, ldc);
  if constexpr (R == 2 && J == 2) _tile_stored(3, c + 16 * ldc + 64, ldc);
}

// c (+)= a b. a: row tiles of 16 rows by `depth` tiles of 32 columns, row-major; b: `depth` tiles
// of 16 pairs of rows by `columns` tiles of 16 columns, pairs interleaved; c: f32, row-major.
inline void tile_product(int64_t rows, int64_t columns, int64_t depth, const Operand& a,
                         const Operand& b, float* c, int64_t ldc, bool accumulate) {
  finish_stores(c);
  for (int64_t j = 0; j < columns; j += 2)
    for (int64_t i = 0; i < rows; i += 2) {
      char* at = reinterpret_cast<char*>(c) + i * 16 * ldc + j * 64;
      const bool two_rows = i + 1 < rows, two_columns = j + 1 < columns;
      if (two_rows && two_columns) {
        tile_block<2, 2>(depth, a, i, b, j, at, ldc, accumulate);
      } else if (two_rows) {
        tile_block<2, 1>(depth, a, i, b, j, at, ldc, accumulate);
      } else if (two_columns) {
        tile_block<1, 2>(depth, a, i, b, j, at, ldc, accumulate);
      } else {
        tile_block<1, 1>(depth, a, i, b, j, at, ldc, accumulate);
      }
    }
  finish_stores(c);
}

}  // namespace
}  // namespace bantam::cpu::attention
