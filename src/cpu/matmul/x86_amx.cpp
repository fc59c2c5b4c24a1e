// GCC 12 takes the undefined pass-through operands of its own intrinsics for a mistake.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#include <string.h>

#include "cpu/matmul/matmul.h"

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

// Sets up the sums of the upper (0, 1) or lower (2, 3) two tiles of C.
#define BANTAM_LOAD_SUMS(left, right, from) \
  if (accumulate) {                         \
    _tile_loadd(left, from, row);           \
    _tile_loadd(right, (from) + 16, row);   \
  } else {                                  \
    _tile_zero(left);                       \
    _tile_zero(right);                      \
  }

// The tiles of a step are loaded between the products of the step before. B passes by once for each
// panel and is loaded with the hint that keeps it from pushing the panel out of L1.
void multiply_32x32(const uint16_t* a, const uint16_t* b, int64_t k, float* c, int64_t ldc,
                    bool accumulate) {
  const int64_t row = ldc * 4;
  float* low = c + 16 * ldc;
  BANTAM_LOAD_SUMS(0, 1, c)
  BANTAM_LOAD_SUMS(2, 3, low)
  _tile_stream_loadd(6, b, 128);
  _tile_loadd(4, a, 64);
  _tile_stream_loadd(7, b + 32, 128);
  _tile_loadd(5, a + 512, 64);
  for (int64_t i = kPairStep; i < k; i += kPairStep) {
    a += 32 * kPanel;
    b += 32 * kPanel;
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(2, 5, 6);
    _tile_stream_loadd(6, b, 128);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(4, a, 64);
    _tile_dpbf16ps(3, 5, 7);
    _tile_stream_loadd(7, b + 32, 128);
    _tile_loadd(5, a + 512, 64);
  }
  _tile_dpbf16ps(0, 4, 6);
  _tile_dpbf16ps(1, 4, 7);
  _tile_dpbf16ps(2, 5, 6);
  _tile_dpbf16ps(3, 5, 7);
  _tile_stored(0, c, row);
  _tile_stored(1, c + 16, row);
  _tile_stored(2, low, row);
  _tile_stored(3, low + 16, row);
}

// The upper half of it, for at most 16 rows.
void multiply_16x32(const uint16_t* a, const uint16_t* b, int64_t k, float* c, int64_t ldc,
                    bool accumulate) {
  const int64_t row = ldc * 4;
  BANTAM_LOAD_SUMS(0, 1, c)
  for (int64_t i = 0; i < k; i += kPairStep, a += 32 * kPanel, b += 32 * kPanel) {
    _tile_loadd(4, a, 64);
    _tile_stream_loadd(6, b, 128);
    _tile_dpbf16ps(0, 4, 6);
    _tile_stream_loadd(7, b + 32, 128);
    _tile_dpbf16ps(1, 4, 7);
  }
  _tile_stored(0, c, row);
  _tile_stored(1, c + 16, row);
}
#undef BANTAM_LOAD_SUMS

void copy_block(const float* from, int64_t from_stride, float* to, int64_t to_stride, int64_t rows,
                int64_t columns) {
  for (int64_t r = 0; r < rows; ++r)
    memcpy(to + r * to_stride, from + r * from_stride, static_cast<size_t>(columns) * 4);
}

// Asks for the lines of the next block of C, which would stall the stores of its sums.
void fetch_block(const float* c, int64_t ldc, int64_t rows) {
  for (int64_t r = 0; r < rows; ++r) {
    __builtin_prefetch(c + r * ldc, 1);
    __builtin_prefetch(c + r * ldc + 16, 1);
  }
}

}  // namespace

void enter() {
  const TileConfig config;
  __asm__ volatile("" ::"r"(&config) : "memory");
  _tile_loadconfig(&config);
}

void leave() {
  _tile_release();
}

void panel_pairs(const void* a, const void* b, int64_t strip_stride, int64_t k, float* c,
                 int64_t ldc, int64_t rows, int64_t columns, bool accumulate) {
  const auto* panel = static_cast<const uint16_t*>(a);
  const auto* strip = static_cast<const uint16_t*>(b);
  auto* const multiply = rows > 16 ? multiply_32x32 : multiply_16x32;
  for (int64_t n = 0; n < columns; n += kPanel, strip += strip_stride) {
    const int64_t width = columns - n < kPanel ? columns - n : kPanel;
    if (width == kPanel && rows % 16 == 0) {
      if (n + kPanel < columns) fetch_block(c + n + kPanel, ldc, rows);
      multiply(panel, strip, k, c + n, ldc, accumulate);
      continue;
    }
    alignas(64) float edge[kPanel * kPanel];
    if (accumulate) copy_block(c + n, ldc, edge, kPanel, rows, width);
    __asm__ volatile("" ::"r"(edge) : "memory");
    multiply(panel, strip, k, edge, kPanel, accumulate);
    __asm__ volatile("" ::"r"(edge) : "memory");
    copy_block(edge, kPanel, c + n, ldc, rows, width);
  }
}

}  // namespace bantam::cpu::x86_amx
