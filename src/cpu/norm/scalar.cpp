#include <math.h>

#include "base/half.h"
#include "cpu/norm/fill_table.h"

// The formulas of norm.h, written out: what the other instruction sets are tested against.

namespace bantam::cpu::scalar {
namespace {

float get(const float* p, int64_t i) {
  return p[i];
}
float get(const Bf16* p, int64_t i) {
  return bf16_to_float(p[i].bits);
}
void put(float* p, int64_t i, float x) {
  p[i] = x;
}
void put(Bf16* p, int64_t i, float x) {
  p[i].bits = float_to_bf16(x);
}

float tree_sum(float* lane) {
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int j = 0; j < width; ++j) lane[j] += lane[j + width];
  }
  return lane[0];
}

template <class X>
float inverse_rms(const X* x, int64_t C, float eps) {
  float lane[kLanes] = {};
  for (int64_t i = 0; i < C; ++i) {
    lane[i % kLanes] = fmaf(get(x, i), get(x, i), lane[i % kLanes]);
  }
  return 1.0f / sqrtf(tree_sum(lane) / static_cast<float>(C) + eps);
}

struct Plain {
  template <class X, class Y>
  static void rms_norm(const void* x_rows, const float* w, void* y_rows, int64_t rows, int64_t C,
                       float eps) {
    for (int64_t row = 0; row < rows; ++row) {
      const X* x = static_cast<const X*>(x_rows) + row * C;
      Y* y = static_cast<Y*>(y_rows) + row * C;
      const float r = inverse_rms(x, C, eps);
      for (int64_t i = 0; i < C; ++i) put(y, i, get(x, i) * r * w[i]);
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

      float lane[kLanes] = {};
      for (int64_t i = 0; i < C; ++i) {
        lane[i % kLanes] = fmaf(get(dy, i) * w[i], get(x, i), lane[i % kLanes]);
      }
      const float k = tree_sum(lane) / static_cast<float>(C) * (r * r);

      for (int64_t i = 0; i < C; ++i) {
        const float xi = get(x, i), dyi = get(dy, i);
        dw[i] = fmaf(dyi, xi * r, dw[i]);
        put(dx, i, r * fmaf(xi, -k, dyi * w[i]));
      }
    }
  }

  struct Moments {
    float mean, r;
  };
  template <class X>
  static Moments moments(const X* x, int64_t C, float eps) {
    float lane[kLanes] = {}, square[kLanes] = {};
    for (int64_t i = 0; i < C; ++i) lane[i % kLanes] += get(x, i);
    const float mean = tree_sum(lane) / static_cast<float>(C);
    for (int64_t i = 0; i < C; ++i) {
      const float d = get(x, i) - mean;
      square[i % kLanes] = fmaf(d, d, square[i % kLanes]);
    }
    return {mean, 1.0f / sqrtf(tree_sum(square) / static_cast<float>(C) + eps)};
  }

  template <class X, class Y>
  static void layer_norm(const void* x_rows, const float* w, const float* b, void* y_rows,
                         int64_t rows, int64_t C, float eps) {
    for (int64_t row = 0; row < rows; ++row) {
      const X* x = static_cast<const X*>(x_rows) + row * C;
      Y* y = static_cast<Y*>(y_rows) + row * C;
      const Moments m = moments(x, C, eps);
      for (int64_t i = 0; i < C; ++i) put(y, i, fmaf((get(x, i) - m.mean) * m.r, w[i], b[i]));
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
      const auto z = [&](int64_t i) { return (get(x, i) - m.mean) * m.r; };

      float lane[kLanes] = {}, product[kLanes] = {};
      for (int64_t i = 0; i < C; ++i) {
        const float g = get(dy, i) * w[i];
        lane[i % kLanes] += g;
        product[i % kLanes] = fmaf(g, z(i), product[i % kLanes]);
      }
      const float mean_g = tree_sum(lane) / static_cast<float>(C);
      const float k = tree_sum(product) / static_cast<float>(C);

      for (int64_t i = 0; i < C; ++i) {
        const float dyi = get(dy, i), zi = z(i);
        dw[i] = fmaf(dyi, zi, dw[i]);
        db[i] += dyi;
        put(dx, i, m.r * fmaf(zi, -k, dyi * w[i] - mean_g));
      }
    }
  }
};

}  // namespace

constinit const NormKernels kNormKernels = fill_norm_kernels<Plain>();

}  // namespace bantam::cpu::scalar
