#pragma once

// Products of small f32 matrices over the vectors V of an instruction set: each sum is a chain of
// fused multiply-adds in index order, whatever the tile. V: as in vector_kernels.h; tiles are
// kTileRows rows by kTileVectors vectors, which fill its registers.

#include <stdint.h>

#include "cpu/attention/attention.h"

namespace bantam::cpu::attention {

// Element (i, k) is at data[i * row + k * step].
struct LeftMatrix {
  const float* data;
  int64_t row, step;
  [[nodiscard]] LeftMatrix from(int64_t i, int64_t k = 0) const {
    return {data + i * row + k * step, row, step};
  }
};

template <class V>
struct VectorProduct {
  using Reg = typename V::Reg;
  static constexpr int W = V::kWidth;

  // c[i, :] = (c[i, :] +) sum_k a(i, k) b[k, :], k ascending; n is a multiple of kLanes.
  static void run(int64_t rows, int64_t n, int64_t depth, LeftMatrix a, const float* b, int64_t ldb,
                  float* c, int64_t ldc, bool accumulate) {
    const Operands o{depth, a, b, ldb, c, ldc};
    (accumulate ? columns<V::kTileVectors, true> : columns<V::kTileVectors, false>)(o, rows, n, 0);
  }

  // c[i, :] += sum over k < depth[i]: cells that a row does not see are not even multiplied by
  // zero. Rows share what all of their tile see.
  static void run_ragged(int64_t rows, int64_t n, const int32_t* depth, LeftMatrix a,
                         const float* b, int64_t ldb, float* c, int64_t ldc) {
    for (int64_t i = 0; i < rows;) {
      if (depth[i] == 0) {
        ++i;
        continue;
      }
      const int64_t end = i + V::kTileRows < rows ? i + V::kTileRows : rows;
      int32_t common = depth[i];
      for (int64_t j = i; j < end; ++j)
        if (depth[j] < common) common = depth[j];
      if (common > 0) run(end - i, n, common, a.from(i), b, ldb, c + i * ldc, ldc, true);
      for (; i < end; ++i)
        if (depth[i] > common)
          run(1, n, depth[i] - common, a.from(i, common), b + common * ldb, ldb, c + i * ldc, ldc,
              true);
    }
  }

 private:
  struct Operands {
    int64_t depth;
    LeftMatrix a;
    const float* b;
    int64_t ldb;
    float* c;
    int64_t ldc;
  };

  template <int R, int NV, bool kAccumulate>
  static void tile(Operands o, int64_t i, int64_t j) {
    const float* b = o.b + j;
    float* c = o.c + i * o.ldc + j;
    // Two pointers, so that three rows each are reached by addressing alone.
    const float *low = o.a.data + i * o.a.row, *high = low + 3 * o.a.row;
    const auto at = [&](int r) { return r < 3 ? low[r * o.a.row] : high[(r - 3) * o.a.row]; };
    Reg acc[R][NV];
    for (int r = 0; r < R; ++r)
      for (int v = 0; v < NV; ++v)
        acc[r][v] = kAccumulate ? V::load(c + r * o.ldc + v * W) : V::set1(0.0f);
    for (int64_t k = 0; k < o.depth; ++k, b += o.ldb, low += o.a.step, high += o.a.step) {
      Reg row[NV];
      for (int v = 0; v < NV; ++v) row[v] = V::load(b + v * W);
      for (int r = 0; r < R; ++r) {
        const Reg x = V::set1(at(r));
        for (int v = 0; v < NV; ++v) acc[r][v] = V::fma(x, row[v], acc[r][v]);
      }
    }
    for (int r = 0; r < R; ++r)
      for (int v = 0; v < NV; ++v) V::store(c + r * o.ldc + v * W, acc[r][v]);
  }

  template <int R, int NV, bool kAccumulate>
  static void tiles(const Operands& o, int64_t i, int64_t rows, int64_t j) {
    for (; i + R <= rows; i += R) tile<R, NV, kAccumulate>(o, i, j);
    if constexpr (R > 1) tiles<R / 2, NV, kAccumulate>(o, i, rows, j);
  }
  template <int NV, bool kAccumulate>
  static void columns(const Operands& o, int64_t rows, int64_t n, int64_t j) {
    for (; j + NV * W <= n; j += NV * W) tiles<V::kTileRows, NV, kAccumulate>(o, 0, rows, j);
    if constexpr (NV > 1) columns<NV / 2, kAccumulate>(o, rows, n, j);
  }
};

}  // namespace bantam::cpu::attention
