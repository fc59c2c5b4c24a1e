#pragma once

// Activations as unsigned bytes, for kernels whose products want one operand without a sign.
// Included by kernel files, each of which compiles it for its own instruction set.

#include <stdint.h>

#include "cpu/quant/formats.h"
#include "cpu/quant/panels/panels.h"

namespace bantam::cpu::quant {
namespace {

// 32 elements of a row; a panel has those of all its rows, then the next 32.
struct PanelBlock {
  float d, scaled_sum;
  float sum[2];
  uint8_t u[32];  // q + 128
};

BANTAM_QUANT_INLINE float scaled_sum(const PanelBlock& x) {
  return x.scaled_sum;
}

BANTAM_QUANT_INLINE void pack_block(const BlockQ8A& x, PanelBlock& to) {
  to.d = x.d;
  to.scaled_sum = quant::scaled_sum(x);
  to.sum[0] = (float)x.sum[0];
  to.sum[1] = (float)x.sum[1];
  for (int i = 0; i < 32; ++i) to.u[i] = (uint8_t)(x.q[i] ^ -128);
}

// Some rows side by side: neither reading nor writing then steps through memory in long strides,
// which share the sets of a cache.
inline void pack_unsigned(const BlockQ8A* x, const PanelPart& part, int64_t k, void* panel) {
  constexpr int64_t kTogether = 8;
  const int64_t groups = k / 32;
  for (int64_t i = 0; i < part.count; i += kTogether, x += kTogether * groups) {
    const int64_t rows = part.count - i < kTogether ? part.count - i : kTogether;
    PanelBlock* to = (PanelBlock*)panel + part.first + i;
    for (int64_t g = 0; g < groups; ++g, to += part.of) {
      for (int64_t m = 0; m < rows; ++m) pack_block(x[m * groups + g], to[m]);
    }
  }
}

}  // namespace
}  // namespace bantam::cpu::quant
