#include <cmath>

#include "tensor/blocks.h"
#include "tensor/quantize.h"
#include "tensor/quantize_search.h"

namespace bantam {

using quantize::finite_f16;
using quantize::inverse;
using quantize::level;
using quantize::nearest;

namespace {

constexpr int kBlock = 32;

float largest_magnitude(const float* x) {
  float largest = 0.0f;
  for (int i = 0; i < kBlock; ++i) {
    const float magnitude = std::fabs(x[i]);
    largest = largest < magnitude ? magnitude : largest;
  }
  return largest;
}

}  // namespace

void q8_0_to_float(const void* source, float* destination, int64_t n) {
  const auto* bytes = static_cast<const unsigned char*>(source);
  for (int64_t b = 0; b < n / kBlock; ++b) {
    BlockQ8_0 block;
    std::memcpy(&block, bytes + b * static_cast<int64_t>(sizeof block), sizeof block);
    const float d = f16_to_float(block.d);
    float* y = destination + b * kBlock;
    for (int i = 0; i < kBlock; ++i) y[i] = d * static_cast<float>(block.q[i]);
  }
}

void q8_0_from_float(const float* source, void* destination, int64_t n) {
  auto* bytes = static_cast<unsigned char*>(destination);
  for (int64_t b = 0; b < n / kBlock; ++b) {
    const float* x = source + b * kBlock;
    BlockQ8_0 block;
    block.d = finite_f16(largest_magnitude(x) / 127.0f);
    const float inv = inverse(f16_to_float(block.d));
    for (int i = 0; i < kBlock; ++i) {
      block.q[i] = static_cast<int8_t>(level(x[i] * inv, -127.0f, 127.0f));
    }
    std::memcpy(bytes + b * static_cast<int64_t>(sizeof block), &block, sizeof block);
  }
}

void q8a_to_float(const void* source, float* destination, int64_t n) {
  const auto* bytes = static_cast<const unsigned char*>(source);
  for (int64_t b = 0; b < n / kBlock; ++b) {
    BlockQ8A block;
    std::memcpy(&block, bytes + b * static_cast<int64_t>(sizeof block), sizeof block);
    float* y = destination + b * kBlock;
    for (int i = 0; i < kBlock; ++i) y[i] = block.d * static_cast<float>(block.q[i]);
  }
}

// The scalar twin of the kernels in cpu/quant, which give the same bits.
void q8a_from_float(const float* source, void* destination, int64_t n) {
  auto* bytes = static_cast<unsigned char*>(destination);
  for (int64_t b = 0; b < n / kBlock; ++b) {
    const float* x = source + b * kBlock;
    uint32_t bits = 0;  // magnitudes compare like their bits, and NaN is the largest
    for (int i = 0; i < kBlock; ++i) {
      const uint32_t magnitude = float_bits(x[i]) & 0x7fffffffu;
      bits = bits < magnitude ? magnitude : bits;
    }
    BlockQ8A block{};
    const float largest = bits_float(bits);
    if (bits >= 0x7f800000u) {
      block.d = bits_float(0x7fc00000u);
    } else if (largest >= 0x1p-100f) {
      block.d = largest / 127.0f;
      const float inv = 127.0f / largest;
      for (int i = 0; i < kBlock; ++i) {
        const int q = nearest(x[i] * inv);
        block.q[i] = static_cast<int8_t>(q);
        block.sum[i / 16] = static_cast<int16_t>(block.sum[i / 16] + q);
      }
    }
    std::memcpy(bytes + b * static_cast<int64_t>(sizeof block), &block, sizeof block);
  }
}

}  // namespace bantam
