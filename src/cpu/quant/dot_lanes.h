#pragma once

// Vectors of sets with dot products of unsigned and signed bytes.

#include "cpu/quant/formats.h"

namespace bantam::cpu::quant {

// What formats want to know of products, for vectors L that have add(a, b) of 32-bit lanes and
// add_dot(sum, u, s): sum + the dot products of four unsigned with four signed bytes in each lane.
template <class L>
struct DotLanes : L {
  using Ints = typename L::Ints;
  static constexpr int kSignedOffset = 128;

  // Two chains, so that the products of one row overlap.
  template <int kMax, int kCount>
  BANTAM_QUANT_INLINE Ints dot(const Ints* w, const int8_t* x) {
    Ints even = L::set1(0), odd = even;
    for (int j = 0; j < kCount; j += 2) {
      even = L::add_dot(even, w[j], L::four(x + 4 * j));
      odd = L::add_dot(odd, w[j + 1], L::four(x + 4 * j + 4));
    }
    return L::add(even, odd);
  }
  // Unsigned weights: q + 128.
  BANTAM_QUANT_INLINE void prepare_signed(Ints* w) {
    for (int j = 0; j < 8; ++j) w[j] = L::differ(w[j], L::bytes(-128));
  }
  BANTAM_QUANT_INLINE Ints dot_signed(const Ints* w, const int8_t* x) { return dot<255, 8>(w, x); }
};

}  // namespace bantam::cpu::quant
