// q4_k and q5_k: eight sub-blocks of 32 with six-bit scales and minima.

#include <algorithm>

#include "tensor/blocks.h"
#include "tensor/quantize.h"
#include "tensor/quantize_search.h"

namespace bantam {

using quantize::Affine;
using quantize::finite_f16;
using quantize::inverse;
using quantize::level;

namespace {

constexpr int kBlock = 256, kSub = 32, kSubs = 8;

struct SubScales {
  int scale[kSubs], minimum[kSubs];
};

// Sub-blocks 0..3 keep six bits in bytes 0..3 (scale) and 4..7 (minimum); of 4..7, the low four
// bits share bytes 8..11 and the high two sit on top of bytes 0..7.
SubScales unpack_scales(const uint8_t* packed) {
  SubScales s;
  for (int j = 0; j < 4; ++j) {
    s.scale[j] = packed[j] & 63;
    s.minimum[j] = packed[j + 4] & 63;
    s.scale[j + 4] = (packed[j + 8] & 15) | ((packed[j] >> 6) << 4);
    s.minimum[j + 4] = (packed[j + 8] >> 4) | ((packed[j + 4] >> 6) << 4);
  }
  return s;
}

void pack_scales(const SubScales& s, uint8_t* packed) {
  for (int j = 0; j < 4; ++j) {
    packed[j] = static_cast<uint8_t>(s.scale[j] | ((s.scale[j + 4] >> 4) << 6));
    packed[j + 4] = static_cast<uint8_t>(s.minimum[j] | ((s.minimum[j + 4] >> 4) << 6));
    packed[j + 8] = static_cast<uint8_t>((s.scale[j + 4] & 15) | ((s.minimum[j + 4] & 15) << 4));
  }
}

// A super-block on its way to bytes.
struct SuperBlock {
  uint16_t d = 0, dmin = 0;
  SubScales sub{};
  uint8_t q[kBlock] = {};

  [[nodiscard]] Affine affine(int s) const {
    return {f16_to_float(d) * static_cast<float>(sub.scale[s]),
            -f16_to_float(dmin) * static_cast<float>(sub.minimum[s])};
  }
};

float total_error(const float* x, const float* weights, const SuperBlock& block, int levels) {
  float error = 0.0f;
  for (int s = 0; s < kSubs; ++s) {
    error +=
        quantize::affine_error(x + s * kSub, weights + s * kSub, kSub, levels, block.affine(s));
  }
  return error;
}

// Six-bit scales for the given d and dmin: of the neighbours of the fitted scale, the one with the
// least error, because rounding the scale moves the best minimum and the levels too.
void choose_sub_scales(const float* x, const float* weights, const Affine* fits, int levels,
                       SuperBlock& block) {
  const float inv_d = inverse(f16_to_float(block.d)), inv_m = inverse(f16_to_float(block.dmin));
  for (int s = 0; s < kSubs; ++s) {
    const int scale = level(fits[s].scale * inv_d, 0.0f, 63.0f);
    const int minimum = level(-fits[s].minimum * inv_m, 0.0f, 63.0f);
    float least = 0.0f;
    int best_scale = scale, best_minimum = minimum;
    for (const int step : {0, -1, 1}) {
      for (const int lift : {0, -1, 1}) {
        block.sub.scale[s] = std::clamp(scale + step, 0, 63);
        block.sub.minimum[s] = std::clamp(minimum + lift, 0, 63);
        const float error =
            quantize::affine_error(x + s * kSub, weights + s * kSub, kSub, levels, block.affine(s));
        if ((step == 0 && lift == 0) || error < least) {
          least = error;
          best_scale = block.sub.scale[s];
          best_minimum = block.sub.minimum[s];
        }
      }
    }
    block.sub.scale[s] = best_scale;
    block.sub.minimum[s] = best_minimum;
  }
}

void choose_levels(const float* x, int levels, SuperBlock& block) {
  for (int s = 0; s < kSubs; ++s) {
    const Affine a = block.affine(s);
    const float inv = inverse(a.scale);
    for (int i = s * kSub; i < (s + 1) * kSub; ++i) {
      block.q[i] =
          static_cast<uint8_t>(level((x[i] - a.minimum) * inv, 0.0f, static_cast<float>(levels)));
    }
  }
}

// d and dmin by least squares for the chosen integers; kept if the error falls.
void refine(const float* x, const float* weights, int levels, SuperBlock& block) {
  double aa = 0, bb = 0, ab = 0, xa = 0, xb = 0;  // x ~ d * a - dmin * b
  for (int s = 0; s < kSubs; ++s) {
    const double b = block.sub.minimum[s];
    for (int i = s * kSub; i < (s + 1) * kSub; ++i) {
      const double w = static_cast<double>(weights[i]), v = static_cast<double>(x[i]);
      const double a = block.sub.scale[s] * block.q[i];
      aa += w * a * a;
      ab += w * a * b;
      bb += w * b * b;
      xa += w * a * v;
      xb += w * b * v;
    }
  }
  const double determinant = aa * bb - ab * ab;
  SuperBlock other = block;
  if (bb == 0.0 && aa > 0.0) {
    other.d = finite_f16(static_cast<float>(xa / aa));
  } else if (determinant > 0.0) {
    const double d = (bb * xa - ab * xb) / determinant;
    const double dmin = (ab * xa - aa * xb) / determinant;
    if (!(d > 0.0) || !(dmin >= 0.0)) return;
    other.d = finite_f16(static_cast<float>(d));
    other.dmin = finite_f16(static_cast<float>(dmin));
  }
  if (total_error(x, weights, other, levels) < total_error(x, weights, block, levels)) {
    block = other;
    choose_levels(x, levels, block);
  }
}

SuperBlock fit_super_block(const float* x, int levels) {
  float weights[kBlock];
  Affine fits[kSubs];
  float largest_scale = 0.0f, largest_minimum = 0.0f;
  for (int s = 0; s < kSubs; ++s) {
    quantize::error_weights(x + s * kSub, kSub, weights + s * kSub);
    fits[s] = quantize::fit_affine(x + s * kSub, weights + s * kSub, kSub, levels, true);
    largest_scale = std::max(largest_scale, fits[s].scale);
    largest_minimum = std::max(largest_minimum, -fits[s].minimum);
  }
  SuperBlock block;
  block.d = finite_f16(largest_scale / 63.0f);
  block.dmin = finite_f16(largest_minimum / 63.0f);
  choose_sub_scales(x, weights, fits, levels, block);
  choose_levels(x, levels, block);
  refine(x, weights, levels, block);
  return block;
}

void pack_nibbles(const SuperBlock& block, uint8_t* q) {
  for (int c = 0; c < kSubs / 2; ++c) {
    const uint8_t* even = block.q + 2 * c * kSub;
    const uint8_t* odd = even + kSub;
    for (int i = 0; i < kSub; ++i) {
      q[c * kSub + i] = static_cast<uint8_t>((even[i] & 15) | ((odd[i] & 15) << 4));
    }
  }
}

template <typename Block>
Block load(const void* source, int64_t index) {
  Block block;
  std::memcpy(&block, static_cast<const unsigned char*>(source) + index * int64_t{sizeof block},
              sizeof block);
  return block;
}

template <typename Block>
void store(const Block& block, void* destination, int64_t index) {
  std::memcpy(static_cast<unsigned char*>(destination) + index * int64_t{sizeof block}, &block,
              sizeof block);
}

}  // namespace

void q4_k_to_float(const void* source, float* destination, int64_t n) {
  for (int64_t b = 0; b < n / kBlock; ++b) {
    const auto block = load<BlockQ4_K>(source, b);
    const SubScales sub = unpack_scales(block.scales);
    const float d = f16_to_float(block.d), dmin = f16_to_float(block.dmin);
    for (int s = 0; s < kSubs; ++s) {
      const float scale = d * static_cast<float>(sub.scale[s]);
      const float minimum = dmin * static_cast<float>(sub.minimum[s]);
      const uint8_t* q = block.q + s / 2 * kSub;
      float* y = destination + b * kBlock + s * kSub;
      const int shift = s % 2 * 4;
      for (int i = 0; i < kSub; ++i) {
        y[i] = scale * static_cast<float>((q[i] >> shift) & 15) - minimum;
      }
    }
  }
}

void q4_k_from_float(const float* source, void* destination, int64_t n) {
  for (int64_t b = 0; b < n / kBlock; ++b) {
    const SuperBlock fitted = fit_super_block(source + b * kBlock, 15);
    BlockQ4_K block;
    block.d = fitted.d;
    block.dmin = fitted.dmin;
    pack_scales(fitted.sub, block.scales);
    pack_nibbles(fitted, block.q);
    store(block, destination, b);
  }
}

void q5_k_to_float(const void* source, float* destination, int64_t n) {
  for (int64_t b = 0; b < n / kBlock; ++b) {
    const auto block = load<BlockQ5_K>(source, b);
    const SubScales sub = unpack_scales(block.scales);
    const float d = f16_to_float(block.d), dmin = f16_to_float(block.dmin);
    for (int s = 0; s < kSubs; ++s) {
      const float scale = d * static_cast<float>(sub.scale[s]);
      const float minimum = dmin * static_cast<float>(sub.minimum[s]);
      const uint8_t* q = block.q + s / 2 * kSub;
      float* y = destination + b * kBlock + s * kSub;
      const int shift = s % 2 * 4;
      for (int i = 0; i < kSub; ++i) {
        const int value = ((q[i] >> shift) & 15) | (((block.high[i] >> s) & 1) << 4);
        y[i] = scale * static_cast<float>(value) - minimum;
      }
    }
  }
}

void q5_k_from_float(const float* source, void* destination, int64_t n) {
  for (int64_t b = 0; b < n / kBlock; ++b) {
    const SuperBlock fitted = fit_super_block(source + b * kBlock, 31);
    BlockQ5_K block{};
    block.d = fitted.d;
    block.dmin = fitted.dmin;
    pack_scales(fitted.sub, block.scales);
    pack_nibbles(fitted, block.q);
    for (int i = 0; i < kBlock; ++i) {
      block.high[i % kSub] |= static_cast<uint8_t>((fitted.q[i] >> 4) << (i / kSub));
    }
    store(block, destination, b);
  }
}

}  // namespace bantam
