#pragma once

// Eight rows per vector of 256 bits with dot products of bytes (AVX-VNNI), for processors that have
// them without AVX-512.

#include "cpu/quant/lanes_256.h"

namespace bantam::cpu::quant {
namespace {

struct Lanes256Vnni : Lanes256 {
  static constexpr int kSignedOffset = 128;

  BANTAM_QUANT_INLINE Ints add_dot(Ints sum, Ints u, Ints s) {
    return _mm256_dpbusd_avx_epi32(sum, u, s);
  }
  // Two chains, so that the products of one row overlap.
  template <int kMax, int kCount>
  BANTAM_QUANT_INLINE Ints dot(const Ints* w, const int8_t* x) {
    __m256i even = _mm256_setzero_si256(), odd = even;
    for (int j = 0; j < kCount; j += 2) {
      even = add_dot(even, w[j], four(x + 4 * j));
      odd = add_dot(odd, w[j + 1], four(x + 4 * j + 4));
    }
    return _mm256_add_epi32(even, odd);
  }
  // The instruction takes unsigned weights: q + 128.
  BANTAM_QUANT_INLINE void prepare_signed(Ints* w) {
    for (int j = 0; j < 8; ++j) w[j] = _mm256_xor_si256(w[j], _mm256_set1_epi8(-128));
  }
  BANTAM_QUANT_INLINE Ints dot_signed(const Ints* w, const int8_t* x) { return dot<255, 8>(w, x); }
};

}  // namespace
}  // namespace bantam::cpu::quant
