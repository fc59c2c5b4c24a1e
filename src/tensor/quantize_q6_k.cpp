#include <cmath>

#include "tensor/blocks.h"
#include "tensor/quantize.h"
#include "tensor/quantize_search.h"

namespace bantam {

using quantize::finite_f16;
using quantize::inverse;
using quantize::level;

namespace {

constexpr int kBlock = 256, kSub = 16, kSubs = 16;

// Where element i of a super-block lies: each half of 128 has 64 low bytes, whose nibbles hold
// elements l and l + 64, and 32 high bytes with two bits each for l, l + 32, l + 64 and l + 96.
struct Place {
  int low, low_shift, high, high_shift;
};

Place place(int i) {
  const int half = i / 128, l = i % 128;
  return {half * 64 + l % 64, l / 64 * 4, half * 32 + l % 32, l / 32 * 2};
}

}  // namespace

void q6_k_to_float(const void* source, float* destination, int64_t n) {
  const auto* bytes = static_cast<const unsigned char*>(source);
  for (int64_t b = 0; b < n / kBlock; ++b) {
    BlockQ6_K block;
    std::memcpy(&block, bytes + b * static_cast<int64_t>(sizeof block), sizeof block);
    const float d = f16_to_float(block.d);
    for (int i = 0; i < kBlock; ++i) {
      const Place p = place(i);
      const int q = ((block.low[p.low] >> p.low_shift) & 15) |
                    (((block.high[p.high] >> p.high_shift) & 3) << 4);
      destination[b * kBlock + i] =
          d * static_cast<float>(block.scales[i / kSub]) * static_cast<float>(q - 32);
    }
  }
}

void q6_k_from_float(const float* source, void* destination, int64_t n) {
  auto* bytes = static_cast<unsigned char*>(destination);
  for (int64_t b = 0; b < n / kBlock; ++b) {
    const float* x = source + b * kBlock;
    float weights[kSub], scales[kSubs];
    float largest = 0.0f;
    for (int s = 0; s < kSubs; ++s) {
      quantize::error_weights(x + s * kSub, kSub, weights);
      scales[s] = quantize::fit_scale(x + s * kSub, weights, kSub, 32);
      if (std::fabs(scales[s]) > std::fabs(largest)) largest = scales[s];
    }
    BlockQ6_K block{};
    block.d = finite_f16(largest / -128.0f);
    const float d = f16_to_float(block.d);
    for (int s = 0; s < kSubs; ++s) {
      const int scale = level(scales[s] * inverse(d), -128.0f, 127.0f);
      block.scales[s] = static_cast<int8_t>(scale);
      const float inv = inverse(d * static_cast<float>(scale));
      for (int i = s * kSub; i < (s + 1) * kSub; ++i) {
        const int q = level(x[i] * inv, -32.0f, 31.0f) + 32;
        const Place p = place(i);
        block.low[p.low] |= static_cast<uint8_t>((q & 15) << p.low_shift);
        block.high[p.high] |= static_cast<uint8_t>((q >> 4) << p.high_shift);
      }
    }
    std::memcpy(bytes + b * static_cast<int64_t>(sizeof block), &block, sizeof block);
  }
}

}  // namespace bantam
