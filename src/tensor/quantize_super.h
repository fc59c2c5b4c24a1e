#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace bantam::quantize {

// Super-blocks of 256, whose sub-blocks have integer scales. The sub-blocks are fitted one by one;
// then their scales are rounded, trying the neighbours too, because rounding the scale moves the
// best levels; then d and dmin follow by least squares, if that makes the weighted error smaller.

// x ~ d * scale[s] * q - dmin * minimum[s]
struct AffineSuperBlock {
  uint16_t d = 0, dmin = 0;
  int scale[16] = {}, minimum[16] = {};
  uint8_t q[256] = {};
};
struct AffineFormat {
  int sub;         // elements of a sub-block
  int most_scale;  // the largest scale and minimum
  int levels;      // the largest q
};
AffineSuperBlock fit_super_block(const float* x, const AffineFormat& format);

// The values that elements have before they are scaled, ascending and at most sixteen.
class Codebook {
 public:
  template <int kCount>
  explicit Codebook(const int8_t (&values)[kCount]) : Codebook(values, kCount) {}

  // The position of the value nearest to x.
  [[nodiscard]] int index(float x) const;

  // For n elements, a multiple of 8. The scale d for which x ~ d * value has the least weighted
  // squared error, among those that put the largest x on a value, or near the first or last one;
  // improved by least squares.
  [[nodiscard]] float fit(const float* x, const float* weights, int n) const;
  [[nodiscard]] float error(const float* x, const float* weights, int n, float d) const;

  // Weighted sums of x * q and q * q, q being the value nearest to x * inv.
  struct Moments {
    double xq, qq;
  };
  [[nodiscard]] Moments moments(const float* x, const float* weights, int n, float inv) const;

 private:
  static constexpr size_t kLanes = 8;

  Codebook(const int8_t* values, int count);
  [[nodiscard]] std::array<float, kLanes> nearest(const float* x, float inv) const;

  int count_;
  float values_[16], middles_[16], steps_[16];
};

// x ~ d * scale[s] * code, scale in [-scale_range, scale_range - 1], for sub-blocks of `sub`.
struct ScaledSuperBlock {
  uint16_t d = 0;
  int scale[16] = {};
  uint8_t q[256] = {};  // positions in the codebook
};
ScaledSuperBlock fit_super_block(const float* x, const Codebook& codes, int sub, int scale_range);

}  // namespace bantam::quantize
