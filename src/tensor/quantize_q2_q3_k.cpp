// q2_k and q3_k: sixteen sub-blocks of 16.

#include <cstring>

#include "tensor/blocks.h"
#include "tensor/quantize.h"
#include "tensor/quantize_super.h"

namespace bantam {

namespace {

constexpr int kBlock = 256, kSub = 16;

// The low two bits of each level, to where element i has them.
void pack_two_bits(const uint8_t* q, uint8_t* packed) {
  std::memset(packed, 0, kBlock / 4);
  for (int i = 0; i < kBlock; ++i) {
    packed[i / 128 * 32 + i % 32] |= static_cast<uint8_t>((q[i] & 3) << (i % 128 / 32 * 2));
  }
}

template <typename Block>
void store(const Block& block, void* destination, int64_t index) {
  std::memcpy(static_cast<unsigned char*>(destination) + index * int64_t{sizeof block}, &block,
              sizeof block);
}

}  // namespace

void q2_k_from_float(const float* source, void* destination, int64_t n) {
  for (int64_t b = 0; b < n / kBlock; ++b) {
    const auto fitted = quantize::fit_super_block(source + b * kBlock, {kSub, 15, 3});
    BlockQ2_K block;
    block.d = fitted.d;
    block.dmin = fitted.dmin;
    for (int s = 0; s < 16; ++s) {
      block.scales[s] = static_cast<uint8_t>(fitted.scale[s] | (fitted.minimum[s] << 4));
    }
    pack_two_bits(fitted.q, block.q);
    store(block, destination, b);
  }
}

void q3_k_from_float(const float* source, void* destination, int64_t n) {
  static const quantize::Codebook levels({-4, -3, -2, -1, 0, 1, 2, 3});
  for (int64_t b = 0; b < n / kBlock; ++b) {
    const auto fitted = quantize::fit_super_block(source + b * kBlock, levels, kSub, 32);
    BlockQ3_K block{};
    block.d = fitted.d;
    for (int s = 0; s < 16; ++s) {
      const int scale = fitted.scale[s] + 32;
      block.scales[s % 8] |= static_cast<uint8_t>((scale & 15) << (s / 8 * 4));
      block.scales[8 + s % 4] |= static_cast<uint8_t>((scale >> 4) << (s / 4 * 2));
    }
    pack_two_bits(fitted.q, block.q);
    for (int i = 0; i < kBlock; ++i) {
      block.high[i % 32] |= static_cast<uint8_t>((fitted.q[i] >> 2) << (i / 32));
    }
    store(block, destination, b);
  }
}

}  // namespace bantam
