// tq1_0 and tq2_0: -d, 0 or d.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tensor/blocks.h"
#include "tensor/quantize.h"
#include "tensor/quantize_search.h"

namespace bantam {

namespace {

constexpr int kBlock = 256;

// For any d the values beyond some magnitude become +-d, so of all such choices, taken in falling
// order of magnitude, one has the least weighted squared error.
float fit_ternary(const float* x) {
  float weights[kBlock];
  quantize::error_weights(x, kBlock, weights);
  int order[kBlock];
  for (int i = 0; i < kBlock; ++i) order[i] = i;
  const auto key = [&](int i) { return std::isfinite(x[i]) ? std::fabs(x[i]) : 0.0f; };
  std::sort(order, order + kBlock,
            [&](int a, int b) { return key(a) > key(b) || (key(a) == key(b) && a < b); });
  double wx = 0.0, w = 0.0, best_gain = 0.0, best = 0.0;
  for (const int i : order) {
    wx += static_cast<double>(weights[i] * key(i));
    w += static_cast<double>(weights[i]);
    if (wx * wx > best_gain * w) {
      best_gain = wx * wx / w;
      best = wx / w;
    }
  }
  return static_cast<float>(best);
}

// 0, 1 and 2 for -d, 0 and d; the d that they are for.
uint16_t choose_trits(const float* x, uint8_t* trits) {
  const uint16_t d = quantize::finite_f16(fit_ternary(x));
  const float inv = quantize::inverse(f16_to_float(d));
  for (int i = 0; i < kBlock; ++i) {
    trits[i] = static_cast<uint8_t>(quantize::level(x[i] * inv, -1.0f, 1.0f) + 1);
  }
  return d;
}

// `each` trits that lie `count` apart, the first most significant of five, as the fraction of 256
// from which unpacking reads them back.
void pack_trits(const uint8_t* trits, int count, int each, uint8_t* bytes) {
  for (int m = 0; m < count; ++m) {
    int value = 0;
    for (int n = 0; n < 5; ++n) value = 3 * value + (n < each ? trits[n * count + m] : 0);
    bytes[m] = static_cast<uint8_t>((value * 256 + 242) / 243);
  }
}

template <typename Block>
void store(const Block& block, void* destination, int64_t index) {
  std::memcpy(static_cast<unsigned char*>(destination) + index * int64_t{sizeof block}, &block,
              sizeof block);
}

}  // namespace

void tq1_0_from_float(const float* source, void* destination, int64_t n) {
  uint8_t trits[kBlock];
  for (int64_t b = 0; b < n / kBlock; ++b) {
    BlockTQ1_0 block;
    block.d = choose_trits(source + b * kBlock, trits);
    pack_trits(trits, 32, 5, block.q);
    pack_trits(trits + 160, 16, 5, block.q + 32);
    pack_trits(trits + 240, 4, 4, block.high);
    store(block, destination, b);
  }
}

void tq2_0_from_float(const float* source, void* destination, int64_t n) {
  uint8_t trits[kBlock];
  for (int64_t b = 0; b < n / kBlock; ++b) {
    BlockTQ2_0 block{};
    block.d = choose_trits(source + b * kBlock, trits);
    for (int i = 0; i < kBlock; ++i) {
      block.q[i / 128 * 32 + i % 32] |= static_cast<uint8_t>(trits[i] << (i % 128 / 32 * 2));
    }
    store(block, destination, b);
  }
}

}  // namespace bantam
