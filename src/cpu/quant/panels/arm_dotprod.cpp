#include "cpu/quant/panels/row_tiles.h"

namespace bantam::cpu::arm_dotprod {

namespace {

template <class F>
struct Group : quant::RowGroup<F> {
  using V = quant::TileLanes;
  using Sums = V::Ints[4][quant::kTileParts][F::kSums];  // of each activation

  [[gnu::always_inline]] inline void add(const quant::TileRows& x, V::Floats* acc) const {
    Sums sums;
    for (auto& of_row : sums) {
      for (auto& of_part : of_row) {
        for (V::Ints& s : of_part) s = vdupq_n_s32(0);
      }
    }
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      int8x16_t rows[4];
      for (int i = 0; i < 4; ++i) rows[i] = vld1q_s8(x.q[i] + 16 * h);
      dot<0>(h, rows, sums);
      dot<1>(h, rows, sums);
      dot<2>(h, rows, sums);
      dot<3>(h, rows, sums);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) this->finish(x, i, sums[i], acc);
  }

 private:
  template <int lane>
  [[gnu::always_inline]] inline void dot(int h, const int8x16_t* rows, Sums& sums) const {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
#pragma GCC unroll 2
      for (int p = 0; p < quant::kTileParts; ++p) {
        V::Ints& sum = sums[i][p][h * F::kSums / 2];
        sum = vdotq_laneq_s32(sum, this->w[4 * h + lane][p], rows[i], lane);
      }
    }
    quant::keep_order();
  }
};

}  // namespace

extern const PanelKernels panel_kernels;
constinit const PanelKernels panel_kernels = quant::tile_panels<quant::RowTiles<Group>>({4, 4});

}  // namespace bantam::cpu::arm_dotprod
