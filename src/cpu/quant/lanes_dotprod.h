#pragma once

// Four rows per vector with NEON's dot products of four bytes.

#include "cpu/quant/lanes_neon.h"

namespace bantam::cpu::quant {
namespace {

struct LanesDotprod : LanesNeon {
  // Two chains, so that the products of one row overlap.
  template <int kMax, int kCount>
  BANTAM_QUANT_INLINE Ints dot(const Ints* w, const int8_t* x) {
    int32x4_t sums[2] = {vdupq_n_s32(0), vdupq_n_s32(0)};
    for (int j = 0; j < kCount; j += 4) {
      const int8x16_t bytes = vld1q_s8(x + 4 * j);
      sums[0] = vdotq_laneq_s32(sums[0], vreinterpretq_s8_s32(w[j]), bytes, 0);
      sums[1] = vdotq_laneq_s32(sums[1], vreinterpretq_s8_s32(w[j + 1]), bytes, 1);
      sums[0] = vdotq_laneq_s32(sums[0], vreinterpretq_s8_s32(w[j + 2]), bytes, 2);
      sums[1] = vdotq_laneq_s32(sums[1], vreinterpretq_s8_s32(w[j + 3]), bytes, 3);
    }
    return vaddq_s32(sums[0], sums[1]);
  }
  BANTAM_QUANT_INLINE Ints dot_signed(const Ints* w, const int8_t* x) { return dot<127, 8>(w, x); }
};

}  // namespace
}  // namespace bantam::cpu::quant
