// Four bits with unevenly spaced levels: iq4_nl, iq4_xs and mxfp4.

#include <cmath>
#include <cstring>

#include "tensor/blocks.h"
#include "tensor/quantize.h"
#include "tensor/quantize_search.h"
#include "tensor/quantize_super.h"

namespace bantam {

namespace {

constexpr int kBlock = 32, kHalf = 16;

void pack_nibbles(const uint8_t* q, uint8_t* packed) {
  for (int i = 0; i < kHalf; ++i) packed[i] = static_cast<uint8_t>(q[i] | (q[i + kHalf] << 4));
}

template <typename Block>
void store(const Block& block, void* destination, int64_t index) {
  std::memcpy(static_cast<unsigned char*>(destination) + index * int64_t{sizeof block}, &block,
              sizeof block);
}

const quantize::Codebook& iq4_codes() {
  static const quantize::Codebook codes(kValuesIq4);
  return codes;
}

// Ascending, and the nibble that stands for each.
const quantize::Codebook& mxfp4_codes() {
  static const quantize::Codebook codes({-12, -8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 12});
  return codes;
}
constexpr uint8_t kMxfp4Nibble[15] = {15, 14, 13, 12, 11, 10, 9, 0, 1, 2, 3, 4, 5, 6, 7};

// The exponent e, of those that put the largest magnitude among the levels, with the least error.
int choose_exponent(const float* x) {
  float weights[kBlock], largest = 0.0f;
  quantize::error_weights(x, kBlock, weights);
  for (int i = 0; i < kBlock; ++i) largest = std::fmax(largest, std::fabs(x[i]));
  if (!(largest > 0.0f) || !std::isfinite(largest)) return 0;
  const int top = std::ilogb(largest) + 128;  // the largest level would be about 1
  int best = 0;
  float least = INFINITY;
  for (int e = top - 4; e <= top + 1; ++e) {
    if (e < 0 || e > 254) continue;
    const float error = mxfp4_codes().error(x, weights, kBlock, std::ldexp(1.0f, e - 128));
    if (error < least) {
      least = error;
      best = e;
    }
  }
  return best;
}

}  // namespace

void iq4_nl_from_float(const float* source, void* destination, int64_t n) {
  float weights[kBlock];
  uint8_t q[kBlock];
  for (int64_t b = 0; b < n / kBlock; ++b) {
    const float* x = source + b * kBlock;
    quantize::error_weights(x, kBlock, weights);
    BlockIQ4_NL block;
    block.d = quantize::finite_f16(iq4_codes().fit(x, weights, kBlock));
    const float inv = quantize::inverse(f16_to_float(block.d));
    for (int i = 0; i < kBlock; ++i) q[i] = static_cast<uint8_t>(iq4_codes().index(x[i] * inv));
    pack_nibbles(q, block.q);
    store(block, destination, b);
  }
}

void iq4_xs_from_float(const float* source, void* destination, int64_t n) {
  constexpr int kSuper = 256;
  for (int64_t b = 0; b < n / kSuper; ++b) {
    const auto fitted = quantize::fit_super_block(source + b * kSuper, iq4_codes(), kBlock, 32);
    BlockIQ4_XS block{};
    block.d = fitted.d;
    int high = 0;
    for (int s = 0; s < 8; ++s) {
      const int scale = fitted.scale[s] + 32;
      block.scales_low[s / 2] |= static_cast<uint8_t>((scale & 15) << (s % 2 * 4));
      high |= (scale >> 4) << (2 * s);
      pack_nibbles(fitted.q + s * kBlock, block.q + s * kHalf);
    }
    block.scales_high = static_cast<uint16_t>(high);
    store(block, destination, b);
  }
}

void mxfp4_from_float(const float* source, void* destination, int64_t n) {
  uint8_t q[kBlock];
  for (int64_t b = 0; b < n / kBlock; ++b) {
    const float* x = source + b * kBlock;
    BlockMXFP4 block;
    block.e = static_cast<uint8_t>(choose_exponent(x));
    const float d = std::ldexp(1.0f, block.e - 128);
    for (int i = 0; i < kBlock; ++i) q[i] = kMxfp4Nibble[mxfp4_codes().index(x[i] / d)];
    pack_nibbles(q, block.q);
    store(block, destination, b);
  }
}

}  // namespace bantam
