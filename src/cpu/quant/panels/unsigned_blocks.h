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
  float d, total;
  float sum[2];
  uint8_t u[32];  // q + 128
};

BANTAM_QUANT_INLINE float total(const PanelBlock& x) {
  return x.total;
}

inline void pack_unsigned(const BlockQ8A* x, const PanelPart& part, int64_t k, void* panel) {
  const int64_t groups = k / 32;
  for (int64_t m = part.first; m < part.first + part.count; ++m) {
    PanelBlock* to = (PanelBlock*)panel + m;
    for (int64_t g = 0; g < groups; ++g, ++x, to += part.of) {
      to->d = x->d;
      to->total = (float)(x->sum[0] + x->sum[1]);
      to->sum[0] = (float)x->sum[0];
      to->sum[1] = (float)x->sum[1];
      for (int i = 0; i < 32; ++i) to->u[i] = (uint8_t)(x->q[i] ^ -128);
    }
  }
}

}  // namespace
}  // namespace bantam::cpu::quant
