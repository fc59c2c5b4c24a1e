#include <stddef.h>

#include "cpu/quant/panels/register_tiles.h"

// An instruction multiplies two rows of eight bytes by two others, so vectors of sums hold
// activations 0, 0, 1, 1 times weight rows 0, 1, 0, 1 until they are stored.

namespace bantam::cpu::arm_i8mm {

namespace {

// Of two activations each, every number twice.
struct Rows {
  float d[2][4], scaled_sum[2][4], sum[2][2][4];
  int8_t q[4][2][16];  // elements 8 j .. 8 j + 7 of both
};

// What the formats want to know of two rows.
struct Pair {
  float32x4_t d, scaled_sum, sum[2];
};
BANTAM_QUANT_INLINE float32x4_t scaled_sum(const Pair& x) {
  return x.scaled_sum;
}
BANTAM_QUANT_INLINE float32x4_t half_sum(const Pair& x, int h) {
  return x.sum[h];
}

struct Tiles {
  using V = quant::TileLanes;
  using Rows = arm_i8mm::Rows;

  BANTAM_QUANT_INLINE void put(const BlockQ8A& x, int i, Rows& to) {
    const int pair = i / 2, at = i % 2;
    for (int twice = 2 * at; twice < 2 * at + 2; ++twice) {
      to.d[pair][twice] = x.d;
      to.scaled_sum[pair][twice] = quant::scaled_sum(x);
      to.sum[0][pair][twice] = (float)x.sum[0];
      to.sum[1][pair][twice] = (float)x.sum[1];
    }
    for (int j = 0; j < 4; ++j) __builtin_memcpy(to.q[j][pair] + 8 * at, x.q + 8 * j, 8);
  }

  template <class F>
  struct Group {
    using Scales = typename F::Scales;
    static constexpr int kPairs = 4;  // of weight rows

    int8x16_t w[4][kPairs];
    Scales scales[kPairs];

    [[gnu::always_inline]] inline void set(int part, const V::Ints* levels, const Scales& s) {
      for (int j = 0; j < 4; ++j) {
        const V::Ints low = vzip1q_s32(levels[2 * j], levels[2 * j + 1]);
        const V::Ints high = vzip2q_s32(levels[2 * j], levels[2 * j + 1]);
        w[j][2 * part] = vreinterpretq_s8_s32(low);
        w[j][2 * part + 1] = vreinterpretq_s8_s32(high);
      }
      constexpr size_t kVectors = sizeof(Scales) / sizeof(V::Floats);
      V::Floats all[kVectors], low[kVectors], high[kVectors];
      __builtin_memcpy(all, &s, sizeof s);
      for (size_t i = 0; i < kVectors; ++i) {
        low[i] = vcombine_f32(vget_low_f32(all[i]), vget_low_f32(all[i]));
        high[i] = vcombine_f32(vget_high_f32(all[i]), vget_high_f32(all[i]));
      }
      __builtin_memcpy(&scales[2 * part], low, sizeof s);
      __builtin_memcpy(&scales[2 * part + 1], high, sizeof s);
    }

    [[gnu::always_inline]] inline void add(const Rows& x, V::Floats* acc) const {
      V::Ints sums[F::kSums][quant::kTileSums];
      for (auto& half : sums) {
        for (V::Ints& s : half) s = vdupq_n_s32(0);
      }
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        V::Ints* to = sums[j / 2 * F::kSums / 2];
        const int8x16_t rows[2] = {vld1q_s8(x.q[j][0]), vld1q_s8(x.q[j][1])};
#pragma GCC unroll 4
        for (int p = 0; p < kPairs; ++p) {
          to[2 * p] = vmmlaq_s32(to[2 * p], rows[0], w[j][p]);
          to[2 * p + 1] = vmmlaq_s32(to[2 * p + 1], rows[1], w[j][p]);
        }
        quant::keep_order();
      }
#pragma GCC unroll 2
      for (int i = 0; i < 2; ++i) {
        const Pair pair{vld1q_f32(x.d[i]),
                        vld1q_f32(x.scaled_sum[i]),
                        {vld1q_f32(x.sum[0][i]), vld1q_f32(x.sum[1][i])}};
#pragma GCC unroll 4
        for (int p = 0; p < kPairs; ++p) {
          const int at = 2 * p + i;
          V::Ints isum[F::kSums];
          for (int h = 0; h < F::kSums; ++h) isum[h] = sums[h][at];
          acc[at] = F::finish(isum, scales[p], pair, acc[at]);
        }
      }
    }
  };

  BANTAM_QUANT_INLINE void store(const V::Floats* acc, int m, float* y) {
    const V::Floats* sums = acc + m / 2;
    for (int part = 0; part < quant::kTileParts; ++part, sums += 4) {
      const float64x2_t low = vreinterpretq_f64_f32(sums[0]), high = vreinterpretq_f64_f32(sums[2]);
      const float64x2_t row = m % 2 ? vzip2q_f64(low, high) : vzip1q_f64(low, high);
      V::store(y + 4 * part, vreinterpretq_f32_f64(row));
    }
  }
};

}  // namespace

extern const PanelKernels panel_kernels;
constinit const PanelKernels panel_kernels = quant::tile_panels<Tiles>({4, 4});

}  // namespace bantam::cpu::arm_i8mm
