#pragma once

// The block formats of GGUF, byte for byte (ggml's `block_*` layouts), and Bantam's activation
// block. Plain C types only, so that kernel files may include it.

#include <stdint.h>

namespace bantam {

struct BlockQ8_0 {  // x = d * q
  uint16_t d;       // f16
  int8_t q[32];
};
struct BlockQ4_0 {  // x = d * (q - 8); q[j] low nibble = element j, high nibble = element j + 16
  uint16_t d;
  uint8_t q[16];
};
struct BlockQ4_1 {  // x = d * q + m
  uint16_t d, m;
  uint8_t q[16];
};
struct BlockQ4_K {     // 8 sub-blocks of 32: x = d * scale * q - dmin * min
  uint16_t d, dmin;    // f16
  uint8_t scales[12];  // 8 six-bit scales and 8 six-bit minima, packed
  uint8_t q[128];      // chunk c of 64: low nibbles = sub-block 2c, high nibbles = 2c + 1
};
struct BlockQ5_K {
  uint16_t d, dmin;
  uint8_t scales[12];
  uint8_t high[32];  // bit s of high[j] is bit 4 of element j of sub-block s
  uint8_t q[128];
};
struct BlockQ6_K {  // 16 sub-blocks of 16: x = d * scale * (q - 32)
  uint8_t low[128];
  uint8_t high[64];
  int8_t scales[16];
  uint16_t d;
};
// Activations, 32 at a time, quantised per row before an integer dot product:
// x ~ d * q, d = max|x| / 127, q = round-half-even(x * (127 / max|x|)); sum[h] = sum of q over each
// half of 16 (what formats with a minimum or an offset need).
// A block whose max is below 2^-100 becomes zero; one that holds NaN or infinity gets d = NaN, q =
// 0.
struct BlockQ8A {
  float d;
  int16_t sum[2];
  int8_t q[32];
};

static_assert(sizeof(BlockQ8_0) == 34);
static_assert(sizeof(BlockQ4_0) == 18);
static_assert(sizeof(BlockQ4_1) == 20);
static_assert(sizeof(BlockQ4_K) == 144);
static_assert(sizeof(BlockQ5_K) == 176);
static_assert(sizeof(BlockQ6_K) == 210);
static_assert(sizeof(BlockQ8A) == 40);

}  // namespace bantam
