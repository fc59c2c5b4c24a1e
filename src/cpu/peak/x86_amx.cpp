#include <immintrin.h>

#include "cpu/peak/peak.h"

namespace bantam::cpu::x86_amx {

namespace {

struct TileShapes {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

}  // namespace

// Four products of 16 x 16 x 64 from two tiles of each operand, which are loaded each time.
double peak_rounds(int64_t rounds) {
  alignas(64) static const int8_t kOperands[4][16][64] = {{{3}}, {{5}}, {{7}}, {{1}}};
  TileShapes shapes;
  for (int t = 0; t < 8; ++t) {
    shapes.row_bytes[t] = 64;
    shapes.rows[t] = 16;
  }
  __asm__ volatile("" ::"r"(&shapes) : "memory");
  _tile_loadconfig(&shapes);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t i = 0; i < rounds; ++i) {
    _tile_loadd(4, kOperands[0], 64);
    _tile_loadd(5, kOperands[1], 64);
    _tile_loadd(6, kOperands[2], 64);
    _tile_loadd(7, kOperands[3], 64);
    _tile_dpbssd(0, 4, 6);
    _tile_dpbssd(1, 4, 7);
    _tile_dpbssd(2, 5, 6);
    _tile_dpbssd(3, 5, 7);
  }
  _tile_release();
  return 2.0 * 4 * 16 * 16 * 64 * (double)rounds;
}

}  // namespace bantam::cpu::x86_amx
