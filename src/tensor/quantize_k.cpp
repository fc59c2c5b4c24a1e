// q4_k and q5_k: eight sub-blocks of 32 with six-bit scales and minima.

#include <cstring>

#include "base/half.h"
#include "tensor/blocks.h"
#include "tensor/quantize.h"
#include "tensor/quantize_super.h"

namespace bantam {

using quantize::AffineSuperBlock;

namespace {

constexpr int kBlock = 256, kSub = 32, kSubs = 8;
constexpr int kMostScale = 63;

struct SubScales {
  int scale[kSubs], minimum[kSubs];
};

// Sub-blocks 0..3 keep six bits in bytes 0..3 (scale) and 4..7 (minimum); of 4..7, the low four
// bits share bytes 8..11 and the high two sit on top of bytes 0..7.
SubScales unpack_scales(const uint8_t* packed) {
  SubScales s;
  for (int j = 0; j < 4; ++j) {
    s.scale[j] = packed[j] & 63;
    s.minimum[j] = packed[j + 4] & 63;
    s.scale[j + 4] = (packed[j + 8] & 15) | ((packed[j] >> 6) << 4);
    s.minimum[j + 4] = (packed[j + 8] >> 4) | ((packed[j + 4] >> 6) << 4);
  }
  return s;
}

void pack_scales(const AffineSuperBlock& s, uint8_t* packed) {
  for (int j = 0; j < 4; ++j) {
    packed[j] = static_cast<uint8_t>(s.scale[j] | ((s.scale[j + 4] >> 4) << 6));
    packed[j + 4] = static_cast<uint8_t>(s.minimum[j] | ((s.minimum[j + 4] >> 4) << 6));
    packed[j + 8] = static_cast<uint8_t>((s.scale[j + 4] & 15) | ((s.minimum[j + 4] & 15) << 4));
  }
}

void pack_nibbles(const AffineSuperBlock& block, uint8_t* q) {
  for (int c = 0; c < kSubs / 2; ++c) {
    const uint8_t* even = block.q + 2 * c * kSub;
    const uint8_t* odd = even + kSub;
    for (int i = 0; i < kSub; ++i) {
      q[c * kSub + i] = static_cast<uint8_t>((even[i] & 15) | ((odd[i] & 15) << 4));
    }
  }
}

template <typename Block>
Block load(const void* source, int64_t index) {
  Block block;
  std::memcpy(&block, static_cast<const unsigned char*>(source) + index * int64_t{sizeof block},
              sizeof block);
  return block;
}

template <typename Block>
void store(const Block& block, void* destination, int64_t index) {
  std::memcpy(static_cast<unsigned char*>(destination) + index * int64_t{sizeof block}, &block,
              sizeof block);
}

}  // namespace

void q4_k_to_float(const void* source, float* destination, int64_t n) {
  for (int64_t b = 0; b < n / kBlock; ++b) {
    const auto block = load<BlockQ4_K>(source, b);
    const SubScales sub = unpack_scales(block.scales);
    const float d = f16_to_float(block.d), dmin = f16_to_float(block.dmin);
    for (int s = 0; s < kSubs; ++s) {
      const float scale = d * static_cast<float>(sub.scale[s]);
      const float minimum = dmin * static_cast<float>(sub.minimum[s]);
      const uint8_t* q = block.q + s / 2 * kSub;
      float* y = destination + b * kBlock + s * kSub;
      const int shift = s % 2 * 4;
      for (int i = 0; i < kSub; ++i) {
        y[i] = scale * static_cast<float>((q[i] >> shift) & 15) - minimum;
      }
    }
  }
}

void q4_k_from_float(const float* source, void* destination, int64_t n) {
  for (int64_t b = 0; b < n / kBlock; ++b) {
    const auto fitted = quantize::fit_super_block(source + b * kBlock, {kSub, kMostScale, 15});
    BlockQ4_K block;
    block.d = fitted.d;
    block.dmin = fitted.dmin;
    pack_scales(fitted, block.scales);
    pack_nibbles(fitted, block.q);
    store(block, destination, b);
  }
}

void q5_k_to_float(const void* source, float* destination, int64_t n) {
  for (int64_t b = 0; b < n / kBlock; ++b) {
    const auto block = load<BlockQ5_K>(source, b);
    const SubScales sub = unpack_scales(block.scales);
    const float d = f16_to_float(block.d), dmin = f16_to_float(block.dmin);
    for (int s = 0; s < kSubs; ++s) {
      const float scale = d * static_cast<float>(sub.scale[s]);
      const float minimum = dmin * static_cast<float>(sub.minimum[s]);
      const uint8_t* q = block.q + s / 2 * kSub;
      float* y = destination + b * kBlock + s * kSub;
      const int shift = s % 2 * 4;
      for (int i = 0; i < kSub; ++i) {
        const int value = ((q[i] >> shift) & 15) | (((block.high[i] >> s) & 1) << 4);
        y[i] = scale * static_cast<float>(value) - minimum;
      }
    }
  }
}

void q5_k_from_float(const float* source, void* destination, int64_t n) {
  for (int64_t b = 0; b < n / kBlock; ++b) {
    const auto fitted = quantize::fit_super_block(source + b * kBlock, {kSub, kMostScale, 31});
    BlockQ5_K block{};
    block.d = fitted.d;
    block.dmin = fitted.dmin;
    pack_scales(fitted, block.scales);
    pack_nibbles(fitted, block.q);
    for (int i = 0; i < kBlock; ++i) {
      block.high[i % kSub] |= static_cast<uint8_t>((fitted.q[i] >> 4) << (i / kSub));
    }
    store(block, destination, b);
  }
}

}  // namespace bantam
