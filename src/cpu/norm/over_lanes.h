#pragma once

#include <math.h>

#include "cpu/elementwise/lanes/lanes.h"
#include "cpu/norm/norm.h"

namespace bantam::cpu {

// The kernels of norm.h over the lanes L of an instruction set.
template <class L>
struct NormOverLanes {
  using F = typename L::F;

  template <class X>
  static float inverse_rms(const X* x, int64_t C, float eps) {
    F squares = L::set(0.0f);
    for_blocks<L>(C, [&](int64_t i, auto count) {
      const F xi = load<L>(x + i, count);
      squares = L::fma(xi, xi, squares);
    });
    return 1.0f / sqrtf(L::sum(squares) / static_cast<float>(C) + eps);
  }

  template <class X, class Y>
  static void rms_norm(const void* x_rows, const float* w, void* y_rows, int64_t rows, int64_t C,
                       float eps) {
    for (int64_t row = 0; row < rows; ++row) {
      const X* x = static_cast<const X*>(x_rows) + row * C;
      Y* y = static_cast<Y*>(y_rows) + row * C;
      const F r = L::set(inverse_rms(x, C, eps));
      for_blocks<L>(C, [&](int64_t i, auto count) {
        const F normed = L::mul(load<L>(x + i, count), r);
        store<L>(y + i, L::mul(normed, load<L>(w + i, count)), count);
      });
    }
  }

  template <class X, class Dy, class Dx>
  static void rms_norm_grad(const void* x_rows, const float* w, const void* dy_rows, void* dx_rows,
                            float* dw, int64_t rows, int64_t C, float eps) {
    for (int64_t row = 0; row < rows; ++row) {
      const X* x = static_cast<const X*>(x_rows) + row * C;
      const Dy* dy = static_cast<const Dy*>(dy_rows) + row * C;
      Dx* dx = static_cast<Dx*>(dx_rows) + row * C;
      const float r = inverse_rms(x, C, eps);

      F products = L::set(0.0f);
      for_blocks<L>(C, [&](int64_t i, auto count) {
        const F g = L::mul(load<L>(dy + i, count), load<L>(w + i, count));
        products = L::fma(g, load<L>(x + i, count), products);
      });
      const float k = L::sum(products) / static_cast<float>(C) * (r * r);

      for_blocks<L>(C, [&](int64_t i, auto count) {
        const F xi = load<L>(x + i, count), dyi = load<L>(dy + i, count);
        const F g = L::mul(dyi, load<L>(w + i, count));
        const F normed = L::mul(xi, L::set(r));
        store<L>(dw + i, L::fma(dyi, normed, load<L>(dw + i, count)), count);
        store<L>(dx + i, L::mul(L::set(r), L::fma(xi, L::set(-k), g)), count);
      });
    }
  }

  static F centred(F x, float mean, All) { return L::sub(x, L::set(mean)); }
  static F centred(F x, float mean, int count) {
    const auto last = L::seti(static_cast<uint32_t>(count - 1));
    return L::keep(L::sub(x, L::set(mean)), last, L::iota());
  }

  struct Moments {
    float mean, r;
  };
  template <class X>
  static Moments moments(const X* x, int64_t C, float eps) {
    F sum = L::set(0.0f), squares = sum;
    for_blocks<L>(C, [&](int64_t i, auto count) { sum = L::add(sum, load<L>(x + i, count)); });
    const float mean = L::sum(sum) / static_cast<float>(C);
    for_blocks<L>(C, [&](int64_t i, auto count) {
      const F d = centred(load<L>(x + i, count), mean, count);
      squares = L::fma(d, d, squares);
    });
    return {mean, 1.0f / sqrtf(L::sum(squares) / static_cast<float>(C) + eps)};
  }

  template <class X, class Y>
  static void layer_norm(const void* x_rows, const float* w, const float* b, void* y_rows,
                         int64_t rows, int64_t C, float eps) {
    for (int64_t row = 0; row < rows; ++row) {
      const X* x = static_cast<const X*>(x_rows) + row * C;
      Y* y = static_cast<Y*>(y_rows) + row * C;
      const Moments m = moments(x, C, eps);
      for_blocks<L>(C, [&](int64_t i, auto count) {
        const F z = L::mul(centred(load<L>(x + i, count), m.mean, count), L::set(m.r));
        store<L>(y + i, L::fma(z, load<L>(w + i, count), load<L>(b + i, count)), count);
      });
    }
  }

  template <class X, class Dy, class Dx>
  static void layer_norm_grad(const void* x_rows, const float* w, const void* dy_rows,
                              void* dx_rows, float* dw, float* db, int64_t rows, int64_t C,
                              float eps) {
    for (int64_t row = 0; row < rows; ++row) {
      const X* x = static_cast<const X*>(x_rows) + row * C;
      const Dy* dy = static_cast<const Dy*>(dy_rows) + row * C;
      Dx* dx = static_cast<Dx*>(dx_rows) + row * C;
      const Moments m = moments(x, C, eps);

      F sum = L::set(0.0f), products = sum;
      for_blocks<L>(C, [&](int64_t i, auto count) {
        const F g = L::mul(load<L>(dy + i, count), load<L>(w + i, count));
        const F z = L::mul(centred(load<L>(x + i, count), m.mean, count), L::set(m.r));
        sum = L::add(sum, g);
        products = L::fma(g, z, products);
      });
      const F mean_g = L::set(L::sum(sum) / static_cast<float>(C));
      const F k = L::set(-(L::sum(products) / static_cast<float>(C)));

      for_blocks<L>(C, [&](int64_t i, auto count) {
        const F dyi = load<L>(dy + i, count), g = L::mul(dyi, load<L>(w + i, count));
        const F z = L::mul(centred(load<L>(x + i, count), m.mean, count), L::set(m.r));
        store<L>(dw + i, L::fma(dyi, z, load<L>(dw + i, count)), count);
        store<L>(db + i, L::add(load<L>(db + i, count), dyi), count);
        store<L>(dx + i, L::mul(L::set(m.r), L::fma(z, k, L::sub(g, mean_g))), count);
      });
    }
  }
};

}  // namespace bantam::cpu
