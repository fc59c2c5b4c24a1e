#pragma once

// Tiles (register_tiles.h) whose vectors of sums belong to one activation each.

#include "cpu/quant/panels/register_tiles.h"

namespace bantam::cpu::quant {
namespace {

struct TileRows {
  float d[4], scaled_sum[4], sum[2][4];
  int8_t q[4][32];
};

// What the formats want to know of a row.
struct TileRow {
  float d, scaled_sum, sum[2];
};
BANTAM_QUANT_INLINE float scaled_sum(const TileRow& x) {
  return x.scaled_sum;
}

// What instruction sets have in common; they have `add`.
template <class F>
struct RowGroup {
  using V = TileLanes;

  int8x16_t w[8][kTileParts];
  typename F::Scales scales[kTileParts];

  [[gnu::always_inline]] inline void set(int part, const V::Ints* levels,
                                         const typename F::Scales& s) {
    for (int j = 0; j < 8; ++j) w[j][part] = vreinterpretq_s8_s32(levels[j]);
    scales[part] = s;
  }

  // isum: of activation i with each part.
  [[gnu::always_inline]] inline void finish(const TileRows& x, int i,
                                            const V::Ints (&isum)[kTileParts][F::kSums],
                                            V::Floats* acc) const {
    const TileRow row{x.d[i], x.scaled_sum[i], {x.sum[0][i], x.sum[1][i]}};
#pragma GCC unroll 2
    for (int p = 0; p < kTileParts; ++p) {
      V::Floats& sum = acc[kTileParts * i + p];
      sum = F::finish(isum[p], scales[p], row, sum);
    }
  }
};

template <template <class F> class OfFormat>
struct RowTiles {
  using V = TileLanes;
  using Rows = TileRows;
  template <class F>
  using Group = OfFormat<F>;

  BANTAM_QUANT_INLINE void put(const BlockQ8A& x, int i, Rows& to) {
    to.d[i] = x.d;
    to.scaled_sum[i] = quant::scaled_sum(x);
    to.sum[0][i] = (float)x.sum[0];
    to.sum[1][i] = (float)x.sum[1];
    __builtin_memcpy(to.q[i], x.q, 32);
  }
  BANTAM_QUANT_INLINE void store(const V::Floats* acc, int m, float* y) {
    for (int p = 0; p < kTileParts; ++p) V::store(y + V::kRows * p, acc[kTileParts * m + p]);
  }
};

}  // namespace
}  // namespace bantam::cpu::quant
