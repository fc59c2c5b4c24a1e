#pragma once

// The block formats of GGUF, byte for byte (ggml's `block_*` layouts), and Bantam's activation
// block. Plain C types only, so that kernel files may include it.

#include <stdint.h>

namespace bantam {

// Rows whose blocks lie together where a matrix is interleaved; see tensor/layout.h.
inline constexpr int kRowGroup = 16;

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

struct BlockQ5_0 {  // x = d * (q - 16); nibbles as in q4_0, bit i of `high` is bit 4 of element i
  uint16_t d;
  uint8_t high[4];
  uint8_t q[16];
};
struct BlockQ5_1 {  // x = d * q + m
  uint16_t d, m;
  uint8_t high[4];
  uint8_t q[16];
};
struct BlockQ2_K {     // 16 sub-blocks of 16: x = d * scale * q - dmin * min
  uint8_t scales[16];  // low nibble: scale, high nibble: min
  uint8_t q[64];       // each half of 128: two bits each for elements l, l + 32, l + 64, l + 96
  uint16_t d, dmin;
};
struct BlockQ3_K {     // 16 sub-blocks of 16: x = d * (scale - 32) * (q - 4)
  uint8_t high[32];    // bit g of high[l] is bit 2 of element 32 g + l
  uint8_t q[64];       // bits 0 and 1, as in q2_k
  uint8_t scales[12];  // 16 of six bits: low nibbles in 0..7, then high nibbles; top bits in 8..11
  uint16_t d;
};
struct BlockTQ1_0 {  // x = d * (trit - 1); byte b holds its n-th trit as the integer part of
  uint8_t q[48];     // 3 (b 3^n mod 256) / 256: five of elements m + 32 n (bytes 0..31) and
  uint8_t high[4];   // 160 + m + 16 n (32..47), four of 240 + m + 4 n (`high`)
  uint16_t d;
};
struct BlockTQ2_0 {  // x = d * (q - 1), two bits as in q2_k
  uint8_t q[64];
  uint16_t d;
};
struct BlockIQ4_NL {  // x = d * kValuesIq4[q], nibbles as in q4_0
  uint16_t d;
  uint8_t q[16];
};
struct BlockIQ4_XS {  // 8 sub-blocks of 32: x = d * (scale - 32) * kValuesIq4[q]
  uint16_t d;
  uint16_t scales_high;   // two bits each
  uint8_t scales_low[4];  // four bits each
  uint8_t q[128];         // sub-block by sub-block, nibbles as in q4_0
};
struct BlockMXFP4 {  // x = 2^(e - 128) * kValuesMxfp4[q] (twice the value of E2M1)
  uint8_t e;
  uint8_t q[16];
};

// The formats below are products of signs and entries of a grid (an index stands for eight or four
// magnitudes), by group of 32. Where a format keeps seven signs for eight elements, the eighth
// makes the number of minus signs even.
struct BlockIQ2_XXS {  // x = d / 8 * (2 scale + 1) * +-grid
  uint16_t d;
  uint8_t q[64];  // group: 4 indices, then 32 bits: 4 times 7 signs, scale on top
};
struct BlockIQ2_XS {  // as iq2_xxs, a scale for each 16
  uint16_t d;
  uint8_t q[64];      // 32 words: 9 bits of index, 7 signs
  uint8_t scales[8];  // four bits each
};
struct BlockIQ2_S {  // as iq2_xs with 10 bits of index and 8 signs
  uint16_t d;
  uint8_t q[32];
  uint8_t signs[32];
  uint8_t high[8];  // two bits each
  uint8_t scales[8];
};
struct BlockIQ3_XXS {  // x = d / 4 * (2 scale + 1) * +-grid
  uint16_t d;
  uint8_t q[64];
  uint8_t signs[32];  // group: 32 bits as in iq2_xxs
};
struct BlockIQ3_S {  // x = d * (2 scale + 1) * +-grid
  uint16_t d;
  uint8_t q[64];
  uint8_t high[8];  // one bit each
  uint8_t signs[32];
  uint8_t scales[4];  // four bits for each group
};
struct BlockIQ1_S {  // x = d * (2 scale + 1) * (grid +- 1/8), the sign being the same in a group
  uint16_t d;
  uint8_t q[32];
  uint16_t high[8];  // group: 4 times 3 bits of index, 3 bits of scale, sign
};
struct BlockIQ1_M {  // as iq1_s, a scale for each 16 and a sign for each 8
  uint8_t q[32];
  uint8_t high[16];   // nibble: 3 bits of index, sign
  uint8_t scales[8];  // 4 words: 4 scales of 3 bits; the top nibbles are d, the lowest first
};

// Entries of 8 or 4 bytes, the first element lowest. Those of kGridIq1 are eighths.
template <int kCount>
struct OctetGrid {
  uint64_t entry[kCount];
};
template <int kCount>
struct QuartetGrid {
  uint32_t entry[kCount];
};
extern const OctetGrid<2048> kGridIq1;
extern const OctetGrid<256> kGridIq2Xxs;
extern const OctetGrid<512> kGridIq2Xs;
extern const OctetGrid<1024> kGridIq2S;
extern const QuartetGrid<256> kGridIq3Xxs;
extern const QuartetGrid<512> kGridIq3S;
extern const int8_t kValuesIq4[16];
extern const int8_t kValuesMxfp4[16];

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
static_assert(sizeof(BlockQ5_0) == 22);
static_assert(sizeof(BlockQ5_1) == 24);
static_assert(sizeof(BlockQ2_K) == 84);
static_assert(sizeof(BlockQ3_K) == 110);
static_assert(sizeof(BlockTQ1_0) == 54);
static_assert(sizeof(BlockTQ2_0) == 66);
static_assert(sizeof(BlockIQ4_NL) == 18);
static_assert(sizeof(BlockIQ4_XS) == 136);
static_assert(sizeof(BlockMXFP4) == 17);
static_assert(sizeof(BlockIQ2_XXS) == 66);
static_assert(sizeof(BlockIQ2_XS) == 74);
static_assert(sizeof(BlockIQ2_S) == 82);
static_assert(sizeof(BlockIQ3_XXS) == 98);
static_assert(sizeof(BlockIQ3_S) == 110);
static_assert(sizeof(BlockIQ1_S) == 50);
static_assert(sizeof(BlockIQ1_M) == 56);
static_assert(sizeof(BlockQ8A) == 40);

}  // namespace bantam
