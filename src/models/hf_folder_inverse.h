#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "tensor/tensor.h"

// How tensors of GGUF stand in a Hugging Face folder, written apart from the importer. All f32.
namespace bantam::test {

inline Tensor flat(const Tensor& t) {
  return t.reshaped({t.shape().elements()});
}

// [C, taps] -> [C, 1, taps], as convolutions are stored
inline Tensor with_channel(const Tensor& t) {
  return t.reshaped({t.shape()[0], 1, t.shape()[1]});
}

// A_log of A = -exp(A_log)
inline Tensor logarithm(const Tensor& t) {
  Tensor out = t.clone();
  for (int64_t i = 0; i < t.shape().elements(); ++i)
    out.as<float>()[i] = std::log(-t.as<float>()[i]);
  return out;
}

inline Tensor flat_logarithm(const Tensor& t) {
  return flat(logarithm(t));
}

inline Tensor times(const Tensor& t, float factor) {
  Tensor out = t.clone();
  for (int64_t i = 0; i < t.shape().elements(); ++i) out.as<float>()[i] *= factor;
  return out;
}

// Slices of the last two extents (or of the last one), one below the other or by turns.
inline Tensor stacked_rows(const Tensor& a, const Tensor& b, bool by_turns) {
  const int rank = a.shape().rank();
  const int64_t rows = rank > 1 ? a.shape()[-2] : 1, columns = a.shape()[-1];
  Shape shape = a.shape();
  shape[-2] *= 2;
  Tensor out = Tensor::zeros(DType::f32, shape);
  for (int64_t e = 0; e < a.shape().elements() / (rows * columns); ++e) {
    for (int64_t r = 0; r < 2 * rows; ++r) {
      const bool first = by_turns ? r % 2 == 0 : r < rows;
      const int64_t row = by_turns ? r / 2 : r % rows;
      const float* from = (first ? a : b).as<float>() + (e * rows + row) * columns;
      std::copy_n(from, columns, out.as<float>() + (e * 2 * rows + r) * columns);
    }
  }
  return out;
}

inline Tensor halves(const Tensor& a, const Tensor& b) {
  return stacked_rows(a, b, false);
}

// [E, F] and [E, F] -> [E, 2 F], element by element
inline Tensor vectors_by_turns(const Tensor& a, const Tensor& b) {
  const Shape column{a.shape()[0], a.shape()[1], 1};
  return stacked_rows(a.reshaped(column), b.reshaped(column), true)
      .reshaped({a.shape()[0], 2 * a.shape()[1]});
}

inline Tensor transposed_each(const Tensor& t) {
  const int64_t E = t.shape()[0], R = t.shape()[1], C = t.shape()[2];
  Tensor out = Tensor::zeros(DType::f32, {E, C, R});
  for (int64_t e = 0; e < E; ++e)
    for (int64_t r = 0; r < R; ++r)
      for (int64_t c = 0; c < C; ++c)
        out.as<float>()[(e * C + c) * R + r] = t.as<float>()[(e * R + r) * C + c];
  return out;
}

inline Tensor matrices_by_turns(const Tensor& a, const Tensor& b) {
  return transposed_each(stacked_rows(a, b, true));
}

// W_k [H, R, D] and W_v [H, E, R] -> [H (D + E), R]
inline Tensor joined_latent(const Tensor& k, const Tensor& v) {
  const Tensor keys = transposed_each(k);
  const int64_t H = v.shape()[0], R = v.shape()[2], D = keys.shape()[1], E = v.shape()[1];
  Tensor out = Tensor::zeros(DType::f32, {H * (D + E), R});
  for (int64_t h = 0; h < H; ++h) {
    float* to = out.as<float>() + h * (D + E) * R;
    std::copy_n(keys.as<float>() + h * D * R, D * R, to);
    std::copy_n(v.as<float>() + h * E * R, E * R, to + D * R);
  }
  return out;
}

}  // namespace bantam::test
