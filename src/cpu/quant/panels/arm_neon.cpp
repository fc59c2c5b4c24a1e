#include "cpu/quant/panels/row_tiles.h"

// Without dot products: products of bytes are added up in 16 bits, as many as fit, two activations
// side by side.

namespace bantam::cpu::arm_neon {

namespace {

template <class F>
struct Group : quant::RowGroup<F> {
  using V = quant::TileLanes;
  static constexpr int kLargest =
      F::kMax - F::kOffset > F::kOffset ? F::kMax - F::kOffset : F::kOffset;
  static constexpr int kFit = kLargest <= 32 ? 8 : kLargest <= 64 ? 4 : 2;
  static_assert(kFit * kLargest * 127 < 32768);
  static constexpr int kEach = 8 / F::kSums;  // vectors of an integer sum
  static constexpr int kRun = kFit < kEach ? kFit : kEach;

  [[gnu::always_inline]] inline void add(const quant::TileRows& x, V::Floats* acc) const {
#pragma GCC unroll 2
    for (int i = 0; i < 4; i += 2) {
      V::Ints sums[2][quant::kTileParts][F::kSums];
#pragma GCC unroll 2
      for (int s = 0; s < F::kSums; ++s) sum(x, i, s, sums);
      for (int r = 0; r < 2; ++r) this->finish(x, i + r, sums[r], acc);
    }
  }

 private:
  // Sum s of two activations from i on.
  [[gnu::always_inline]] inline void sum(const quant::TileRows& x, int i, int s,
                                         V::Ints (&sums)[2][quant::kTileParts][F::kSums]) const {
    int32x4_t rows[2][2], wide[2][quant::kTileParts][2];
    for (int r = 0; r < 2; ++r) {
      for (int h = 0; h < 2; ++h) rows[r][h] = vreinterpretq_s32_s8(vld1q_s8(x.q[i + r] + 16 * h));
    }
#pragma GCC unroll 4
    for (int first = 0; first < kEach; first += kRun) {
      int16x8_t narrow[2][quant::kTileParts][2];
#pragma GCC unroll 8
      for (int j = first; j < first + kRun; ++j) {
        const int at = s * kEach + j;
        for (int r = 0; r < 2; ++r) {
          const int8x16_t four = vreinterpretq_s8_s32(vdupq_n_s32(rows[r][at / 4][at % 4]));
          for (int p = 0; p < quant::kTileParts; ++p) {
            const int8x16_t w = this->w[at][p];
            int16x8_t* to = narrow[r][p];
            if (j == first) {
              to[0] = vmull_s8(vget_low_s8(w), vget_low_s8(four));
              to[1] = vmull_high_s8(w, four);
            } else {
              to[0] = vmlal_s8(to[0], vget_low_s8(w), vget_low_s8(four));
              to[1] = vmlal_high_s8(to[1], w, four);
            }
          }
        }
        quant::keep_order();
      }
      for (int r = 0; r < 2; ++r) {
        for (int p = 0; p < quant::kTileParts; ++p) {
          for (int h = 0; h < 2; ++h) {
            int32x4_t& to = wide[r][p][h];
            to = first == 0 ? vpaddlq_s16(narrow[r][p][h]) : vpadalq_s16(to, narrow[r][p][h]);
          }
        }
      }
    }
    for (int r = 0; r < 2; ++r) {
      for (int p = 0; p < quant::kTileParts; ++p) {
        sums[r][p][s] = vpaddq_s32(wide[r][p][0], wide[r][p][1]);
      }
    }
  }
};

}  // namespace

extern const PanelKernels panel_kernels;
constinit const PanelKernels panel_kernels = quant::tile_panels<quant::RowTiles<Group>>({4, 4});

}  // namespace bantam::cpu::arm_neon
