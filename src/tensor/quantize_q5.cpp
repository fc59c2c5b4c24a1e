#include <cstring>

#include "tensor/blocks.h"
#include "tensor/quantize.h"
#include "tensor/quantize_search.h"

namespace bantam {

using quantize::finite_f16;
using quantize::inverse;
using quantize::level;

namespace {

constexpr int kBlock = 32, kHalf = 16;

template <typename Block>
void store_levels(const int* q, Block& block, void* destination, int64_t index) {
  for (int i = 0; i < kHalf; ++i) {
    block.q[i] = static_cast<uint8_t>((q[i] & 15) | ((q[i + kHalf] & 15) << 4));
  }
  for (int i = 0; i < kBlock; ++i) {
    block.high[i / 8] |= static_cast<uint8_t>((q[i] >> 4) << (i % 8));
  }
  std::memcpy(static_cast<unsigned char*>(destination) + index * int64_t{sizeof block}, &block,
              sizeof block);
}

}  // namespace

void q5_0_from_float(const float* source, void* destination, int64_t n) {
  float weights[kBlock];
  int q[kBlock];
  for (int64_t b = 0; b < n / kBlock; ++b) {
    const float* x = source + b * kBlock;
    quantize::error_weights(x, kBlock, weights);
    BlockQ5_0 block{};
    block.d = finite_f16(quantize::fit_scale(x, weights, kBlock, 16));
    const float inv = inverse(f16_to_float(block.d));
    for (int i = 0; i < kBlock; ++i) q[i] = level(x[i] * inv, -16.0f, 15.0f) + 16;
    store_levels(q, block, destination, b);
  }
}

void q5_1_from_float(const float* source, void* destination, int64_t n) {
  float weights[kBlock];
  int q[kBlock];
  for (int64_t b = 0; b < n / kBlock; ++b) {
    const float* x = source + b * kBlock;
    quantize::error_weights(x, kBlock, weights);
    const quantize::Affine affine = quantize::fit_affine_f16(x, weights, kBlock, 31);
    BlockQ5_1 block{};
    block.d = finite_f16(affine.scale);
    block.m = finite_f16(affine.minimum);
    const float inv = inverse(affine.scale);
    for (int i = 0; i < kBlock; ++i) {
      q[i] = level((x[i] - affine.minimum) * inv, 0.0f, 31.0f);
    }
    store_levels(q, block, destination, b);
  }
}

}  // namespace bantam
