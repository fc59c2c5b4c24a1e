// Formats whose levels are evenly spaced, and those with a table of sixteen.

#include "tensor/unpack.h"

#include <algorithm>

#include "base/half.h"

namespace bantam {

constinit const int8_t kValuesIq4[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                         1,    13,   25,  38,  53,  69,  89,  113};
constinit const int8_t kValuesMxfp4[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

namespace {

void no_sub_blocks(UnpackedBlock& out) {
  std::fill(out.scale, out.scale + 16, int8_t{1});
  std::fill(out.minimum, out.minimum + 16, int8_t{1});
}

// Nibble of element i of 32.
int nibble(const uint8_t* q, int i) {
  return i < 16 ? q[i] & 15 : q[i - 16] >> 4;
}

// The two bits of element i of 256.
int two_bits(const uint8_t* q, int i) {
  return (q[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2)) & 3;
}

// Nibble, and the fifth bit from `high`.
int five_bits(const uint8_t* q, const uint8_t* high, int i) {
  return nibble(q, i) | (((high[i / 8] >> (i % 8)) & 1) << 4);
}

void unpack_nibbles(const uint8_t* q, const int8_t* values, int8_t* out) {
  for (int i = 0; i < 32; ++i) out[i] = values[nibble(q, i)];
}

// 2^(e - 128), which is subnormal for the smallest two.
float power_of_two(uint8_t e) {
  return bits_float(e < 2 ? 0x00200000u << e : (e - 1u) << 23);
}

}  // namespace

void unpack(const BlockQ5_0& block, UnpackedBlock& out) {
  out.d = f16_to_float(block.d);
  no_sub_blocks(out);
  for (int i = 0; i < 32; ++i) {
    out.q[i] = static_cast<int8_t>(five_bits(block.q, block.high, i) - 16);
  }
}

void unpack(const BlockQ5_1& block, UnpackedBlock& out) {
  out.d = f16_to_float(block.d);
  out.m = f16_to_float(block.m);
  no_sub_blocks(out);
  for (int i = 0; i < 32; ++i) {
    out.q[i] = static_cast<int8_t>(five_bits(block.q, block.high, i));
  }
}

void unpack(const BlockQ2_K& block, UnpackedBlock& out) {
  out.d = f16_to_float(block.d);
  out.m = -f16_to_float(block.dmin);
  for (int s = 0; s < 16; ++s) {
    out.scale[s] = static_cast<int8_t>(block.scales[s] & 15);
    out.minimum[s] = static_cast<int8_t>(block.scales[s] >> 4);
  }
  for (int i = 0; i < 256; ++i) out.q[i] = static_cast<int8_t>(two_bits(block.q, i));
}

void unpack(const BlockQ3_K& block, UnpackedBlock& out) {
  out.d = f16_to_float(block.d);
  for (int s = 0; s < 16; ++s) {
    const int low = (block.scales[s % 8] >> (s / 8 * 4)) & 15;
    const int high = (block.scales[8 + s % 4] >> (s / 4 * 2)) & 3;
    out.scale[s] = static_cast<int8_t>((low | (high << 4)) - 32);
  }
  for (int i = 0; i < 256; ++i) {
    const int high = (block.high[i % 32] >> (i / 32)) & 1;
    out.q[i] = static_cast<int8_t>((two_bits(block.q, i) | (high << 2)) - 4);
  }
}

void unpack(const BlockTQ1_0& block, UnpackedBlock& out) {
  out.d = f16_to_float(block.d);
  no_sub_blocks(out);
  // `count` bytes; their n-th trits follow each other.
  const auto trits = [](const uint8_t* bytes, int count, int each, int8_t* to) {
    for (int m = 0; m < count; ++m) {
      auto b = static_cast<uint8_t>(bytes[m]);
      for (int n = 0; n < each; ++n) {
        to[n * count + m] = static_cast<int8_t>(b * 3 / 256 - 1);
        b = static_cast<uint8_t>(b * 3);
      }
    }
  };
  trits(block.q, 32, 5, out.q);
  trits(block.q + 32, 16, 5, out.q + 160);
  trits(block.high, 4, 4, out.q + 240);
}

void unpack(const BlockTQ2_0& block, UnpackedBlock& out) {
  out.d = f16_to_float(block.d);
  no_sub_blocks(out);
  for (int i = 0; i < 256; ++i) out.q[i] = static_cast<int8_t>(two_bits(block.q, i) - 1);
}

void unpack(const BlockIQ4_NL& block, UnpackedBlock& out) {
  out.d = f16_to_float(block.d);
  no_sub_blocks(out);
  unpack_nibbles(block.q, kValuesIq4, out.q);
}

void unpack(const BlockIQ4_XS& block, UnpackedBlock& out) {
  out.d = f16_to_float(block.d);
  for (int s = 0; s < 8; ++s) {
    const int low = (block.scales_low[s / 2] >> (s % 2 * 4)) & 15;
    const int high = (block.scales_high >> (2 * s)) & 3;
    out.scale[2 * s] = out.scale[2 * s + 1] = static_cast<int8_t>((low | (high << 4)) - 32);
    unpack_nibbles(block.q + 16 * s, kValuesIq4, out.q + 32 * s);
  }
}

void unpack(const BlockMXFP4& block, UnpackedBlock& out) {
  out.d = power_of_two(block.e);
  no_sub_blocks(out);
  unpack_nibbles(block.q, kValuesMxfp4, out.q);
}

}  // namespace bantam
