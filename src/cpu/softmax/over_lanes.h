#pragma once

#include <math.h>

#include "cpu/elementwise/lanes/exp.h"
#include "cpu/elementwise/lanes/lanes.h"
#include "cpu/softmax/softmax.h"

namespace bantam::cpu {

// The kernels of softmax.h over the lanes L of an instruction set.
template <class L>
struct SoftmaxOverLanes {
  using F = typename L::F;

  // Missing elements of a tail count as -infinity.
  static F load_or_lowest(const float* p, All) { return L::load(p); }
  static F load_or_lowest(const float* p, int n) {
    float block[kLanes];
    L::store(block, L::set(-HUGE_VALF));
    memcpy(block, p, static_cast<size_t>(n) * sizeof(float));
    return L::load(block);
  }

  static void softmax(const float* x, float* y, int64_t rows, int64_t C) {
    for (; rows > 0; --rows, x += C, y += C) {
      F largest = L::set(-HUGE_VALF);
      for_blocks<L>(C, [&](int64_t i, auto count) {
        largest = L::max(largest, load_or_lowest(x + i, count));
      });
      const F shift = L::set(L::largest(largest));

      F sums = L::set(0.0f);
      for_blocks<L>(C, [&](int64_t i, auto count) {
        const F e = exp<L>(L::sub(load_or_lowest(x + i, count), shift));
        sums = L::add(sums, e);
        store<L>(y + i, e, count);
      });
      const F factor = L::set(1.0f / L::sum(sums));
      for_blocks<L>(C, [&](int64_t i, auto count) {
        store<L>(y + i, L::mul(load<L>(y + i, count), factor), count);
      });
    }
  }

  static void softmax_grad(const float* y, const float* dy, float* dx, int64_t rows, int64_t C) {
    for (; rows > 0; --rows, y += C, dy += C, dx += C) {
      F products = L::set(0.0f);
      for_blocks<L>(C, [&](int64_t i, auto count) {
        products = L::fma(load<L>(y + i, count), load<L>(dy + i, count), products);
      });
      const F mean = L::set(L::sum(products));
      for_blocks<L>(C, [&](int64_t i, auto count) {
        const F centred = L::sub(load<L>(dy + i, count), mean);
        store<L>(dx + i, L::mul(load<L>(y + i, count), centred), count);
      });
    }
  }

  static constexpr SoftmaxKernels kernels() { return {softmax, softmax_grad}; }
};

}  // namespace bantam::cpu
