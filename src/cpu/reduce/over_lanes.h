#pragma once

#include "cpu/elementwise/lanes/lanes.h"
#include "cpu/reduce/reduce.h"

namespace bantam::cpu {

// The kernels of reduce.h over the lanes L of an instruction set.
template <class L>
struct ReduceOverLanes {
  using F = typename L::F;

  template <class X>
  static float sum(const void* x_data, int64_t n) {
    const X* x = static_cast<const X*>(x_data);
    F sums = L::set(0.0f);
    for_blocks<L>(n, [&](int64_t i, auto count) { sums = L::add(sums, load<L>(x + i, count)); });
    return L::sum(sums);
  }

  template <class X>
  static float sum_squares(const void* x_data, int64_t n) {
    const X* x = static_cast<const X*>(x_data);
    F sums = L::set(0.0f);
    for_blocks<L>(n, [&](int64_t i, auto count) {
      const F v = load<L>(x + i, count);
      sums = L::fma(v, v, sums);
    });
    return L::sum(sums);
  }

  template <class X>
  static void column_sum(const void* x_data, float* sums, int64_t rows, int64_t C) {
    const X* x = static_cast<const X*>(x_data);
    for_blocks<L>(C, [&](int64_t i, auto count) {
      F total = load<L>(sums + i, count);
      for (int64_t row = 0; row < rows; ++row) {
        total = L::add(total, load<L>(x + row * C + i, count));
      }
      store<L>(sums + i, total, count);
    });
  }

  static void mul_rows(const float* x, const float* r, float* y, int64_t rows, int64_t C) {
    for (int64_t row = 0; row < rows; ++row, x += C, y += C) {
      const F factor = L::set(r[row]);
      for_blocks<L>(C, [&](int64_t i, auto count) {
        store<L>(y + i, L::mul(load<L>(x + i, count), factor), count);
      });
    }
  }

  static void add_rows(const float* x, const float* r, float* y, int64_t rows, int64_t C) {
    for (int64_t row = 0; row < rows; ++row, x += C, y += C) {
      const F amount = L::set(r[row]);
      for_blocks<L>(C, [&](int64_t i, auto count) {
        store<L>(y + i, L::add(load<L>(x + i, count), amount), count);
      });
    }
  }

  static constexpr ReduceKernels kernels() {
    return {{sum<float>, sum<Bf16>},
            {sum_squares<float>, sum_squares<Bf16>},
            {column_sum<float>, column_sum<Bf16>},
            mul_rows,
            add_rows};
  }
};

}  // namespace bantam::cpu
