#pragma once

#include <immintrin.h>
#include <stdint.h>

namespace bantam::cpu::x86_amx {
namespace {

// Tiles 0..3 hold 2 x 2 blocks of C, 4 and 5 of A, 6 and 7 of B, each 16 rows of 64 bytes.
struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

inline void configure_tiles() {
  const TileConfig config;
  __asm__ volatile("" ::"r"(&config) : "memory");
  _tile_loadconfig(&config);
}

}  // namespace
}  // namespace bantam::cpu::x86_amx
