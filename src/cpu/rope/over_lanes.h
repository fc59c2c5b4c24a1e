#pragma once

#include "cpu/elementwise/lanes/lanes.h"
#include "cpu/rope/rope.h"

namespace bantam::cpu {

// The kernels of rope.h over the lanes L of an instruction set.
template <class L>
struct RopeOverLanes {
  using F = typename L::F;

  template <class X>
  static void interleaved(const void* x_data, const float* table, void* y_data, int64_t heads,
                          int64_t D, int64_t pairs) {
    const X* x = static_cast<const X*>(x_data);
    X* y = static_cast<X*>(y_data);
    const int64_t rotary = 2 * pairs;
    const float *cosines = table, *sines = table + rotary;
    for (; heads > 0; --heads, x += D, y += D) {
      for_blocks<L>(rotary, [&](int64_t i, auto count) {
        const F v = load<L>(x + i, count);
        const F turned = L::mul(L::swap_pairs(v), load<L>(sines + i, count));
        store<L>(y + i, L::add(L::mul(v, load<L>(cosines + i, count)), turned), count);
      });
      copy_rest(x, y, rotary, D);
    }
  }

  template <class X>
  static void halves(const void* x_data, const float* table, void* y_data, int64_t heads, int64_t D,
                     int64_t pairs) {
    const X* x = static_cast<const X*>(x_data);
    X* y = static_cast<X*>(y_data);
    const float *cosines = table, *sines = table + pairs;
    for (; heads > 0; --heads, x += D, y += D) {
      for_blocks<L>(pairs, [&](int64_t i, auto count) {
        const F c = load<L>(cosines + i, count), s = load<L>(sines + i, count);
        const F a = load<L>(x + i, count), b = load<L>(x + pairs + i, count);
        store<L>(y + i, L::sub(L::mul(a, c), L::mul(b, s)), count);
        store<L>(y + pairs + i, L::add(L::mul(b, c), L::mul(a, s)), count);
      });
      copy_rest(x, y, 2 * pairs, D);
    }
  }

  template <class X>
  static void copy_rest(const X* x, X* y, int64_t rotary, int64_t D) {
    if (x == y || rotary == D) return;
    memcpy(y + rotary, x + rotary, static_cast<size_t>(D - rotary) * sizeof(X));
  }

  static constexpr RopeKernels kernels() {
    return {{{interleaved<float>, interleaved<Bf16>}, {halves<float>, halves<Bf16>}}};
  }
};

}  // namespace bantam::cpu
