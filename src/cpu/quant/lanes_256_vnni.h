#pragma once

// Eight rows per vector of 256 bits with dot products of bytes (AVX-VNNI), for processors that have
// them without AVX-512.

#include "cpu/quant/dot_lanes.h"
#include "cpu/quant/lanes_256.h"

namespace bantam::cpu::quant {
namespace {

struct BareLanes256Vnni : Lanes256 {
  BANTAM_QUANT_INLINE Ints add(Ints a, Ints b) { return _mm256_add_epi32(a, b); }
  BANTAM_QUANT_INLINE Ints add_dot(Ints sum, Ints u, Ints s) {
    return _mm256_dpbusd_avx_epi32(sum, u, s);
  }
};
using Lanes256Vnni = DotLanes<BareLanes256Vnni>;

}  // namespace
}  // namespace bantam::cpu::quant
