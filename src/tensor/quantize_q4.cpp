#include "tensor/blocks.h"
#include "tensor/quantize.h"
#include "tensor/quantize_search.h"

namespace bantam {

using quantize::Affine;
using quantize::finite_f16;
using quantize::inverse;
using quantize::level;

namespace {

constexpr int kBlock = 32, kHalf = 16;

void pack_nibbles(const int* q, uint8_t* packed) {
  for (int i = 0; i < kHalf; ++i) packed[i] = static_cast<uint8_t>(q[i] | (q[i + kHalf] << 4));
}

}  // namespace

void q4_0_to_float(const void* source, float* destination, int64_t n) {
  const auto* bytes = static_cast<const unsigned char*>(source);
  for (int64_t b = 0; b < n / kBlock; ++b) {
    BlockQ4_0 block;
    std::memcpy(&block, bytes + b * static_cast<int64_t>(sizeof block), sizeof block);
    const float d = f16_to_float(block.d);
    float* y = destination + b * kBlock;
    for (int i = 0; i < kHalf; ++i) {
      y[i] = d * static_cast<float>((block.q[i] & 15) - 8);
      y[i + kHalf] = d * static_cast<float>((block.q[i] >> 4) - 8);
    }
  }
}

void q4_0_from_float(const float* source, void* destination, int64_t n) {
  auto* bytes = static_cast<unsigned char*>(destination);
  float weights[kBlock];
  int q[kBlock];
  for (int64_t b = 0; b < n / kBlock; ++b) {
    const float* x = source + b * kBlock;
    quantize::error_weights(x, kBlock, weights);
    BlockQ4_0 block;
    block.d = finite_f16(quantize::fit_scale(x, weights, kBlock, 8));
    const float inv = inverse(f16_to_float(block.d));
    for (int i = 0; i < kBlock; ++i) q[i] = level(x[i] * inv, -8.0f, 7.0f) + 8;
    pack_nibbles(q, block.q);
    std::memcpy(bytes + b * static_cast<int64_t>(sizeof block), &block, sizeof block);
  }
}

void q4_1_to_float(const void* source, float* destination, int64_t n) {
  const auto* bytes = static_cast<const unsigned char*>(source);
  for (int64_t b = 0; b < n / kBlock; ++b) {
    BlockQ4_1 block;
    std::memcpy(&block, bytes + b * static_cast<int64_t>(sizeof block), sizeof block);
    const float d = f16_to_float(block.d), m = f16_to_float(block.m);
    float* y = destination + b * kBlock;
    for (int i = 0; i < kHalf; ++i) {
      y[i] = d * static_cast<float>(block.q[i] & 15) + m;
      y[i + kHalf] = d * static_cast<float>(block.q[i] >> 4) + m;
    }
  }
}

void q4_1_from_float(const float* source, void* destination, int64_t n) {
  auto* bytes = static_cast<unsigned char*>(destination);
  float weights[kBlock];
  int q[kBlock];
  for (int64_t b = 0; b < n / kBlock; ++b) {
    const float* x = source + b * kBlock;
    quantize::error_weights(x, kBlock, weights);
    const Affine affine = quantize::fit_affine_f16(x, weights, kBlock, 15);
    BlockQ4_1 block;
    block.d = finite_f16(affine.scale);
    block.m = finite_f16(affine.minimum);
    const float inv = inverse(affine.scale);
    for (int i = 0; i < kBlock; ++i) {
      q[i] = level((x[i] - affine.minimum) * inv, 0.0f, 15.0f);
    }
    pack_nibbles(q, block.q);
    std::memcpy(bytes + b * static_cast<int64_t>(sizeof block), &block, sizeof block);
  }
}

}  // namespace bantam
