#include "cpu/quant/lanes_dotprod.h"
#include "cpu/quant/row_tile.h"

namespace bantam::cpu::arm_i8mm {

namespace {

using V = quant::LanesDotprod;

constexpr int kParts = kRowGroup / V::kRows;
constexpr int kMost = quant::kMostActivations;

// Fewer rows of activations do not pay for unpacked weights to pass through memory.
template <class F>
constexpr int kLeast = F::kGroups == 1 ? 2 : 4;

// A group of 32 elements of four weight rows. An instruction multiplies two rows of eight bytes by
// two others; pairs[2 j + h]: elements 8 j .. 8 j + 7 of the rows 2 h and 2 h + 1.
template <class F>
struct Unpacked {
  int8x16_t pairs[8];
  typename F::Scales scales;
};

// One block of four rows, as in[group][part].
template <class F, class Rows>
BANTAM_QUANT_INLINE void unpack(const Rows& in, int part, Unpacked<F> (*out)[kParts]) {
  F::unpack(
      in, [&](int s, const V::Ints* w, const typename F::Scales& scales)
              __attribute__((always_inline)) {
                Unpacked<F>& group = out[s][part];
                for (int j = 0; j < 4; ++j) {
                  const V::Ints low = vzip1q_s32(w[2 * j], w[2 * j + 1]);
                  const V::Ints high = vzip2q_s32(w[2 * j], w[2 * j + 1]);
                  group.pairs[2 * j] = vreinterpretq_s8_s32(low);
                  group.pairs[2 * j + 1] = vreinterpretq_s8_s32(high);
                }
                group.scales = scales;
              });
}

// out[j]: elements 8 j .. 8 j + 7 of two rows of activations.
BANTAM_QUANT_INLINE void pair_rows(const BlockQ8A& a, const BlockQ8A& b, int8x16_t* out) {
  for (int h = 0; h < 2; ++h) {
    const int64x2_t first = vreinterpretq_s64_s8(vld1q_s8(a.q + 16 * h));
    const int64x2_t second = vreinterpretq_s64_s8(vld1q_s8(b.q + 16 * h));
    out[2 * h] = vreinterpretq_s8_s64(vzip1q_s64(first, second));
    out[2 * h + 1] = vreinterpretq_s8_s64(vzip2q_s64(first, second));
  }
}

// The integer sums of four weight rows with each row of a pair.
template <int kSums>
BANTAM_QUANT_INLINE void dot(const int8x16_t* w, const int8x16_t* x, V::Ints (*isum)[kSums]) {
  constexpr int kSteps = 4 / kSums;
  for (int s = 0; s < kSums; ++s) {
    int32x4_t low = vdupq_n_s32(0), high = low;  // 2 x 2 sums with the rows 0 and 1, 2 and 3
    for (int j = s * kSteps; j < (s + 1) * kSteps; ++j) {
      low = vmmlaq_s32(low, x[j], w[2 * j]);
      high = vmmlaq_s32(high, x[j], w[2 * j + 1]);
    }
    const int64x2_t a = vreinterpretq_s64_s32(low), b = vreinterpretq_s64_s32(high);
    isum[0][s] = vreinterpretq_s32_s64(vzip1q_s64(a, b));
    isum[1][s] = vreinterpretq_s32_s64(vzip2q_s64(a, b));
  }
}

// Adds a group of 16 weight rows to their products with 2 kPairs rows of activations.
template <class F, int kPairs>
BANTAM_QUANT_INLINE void add_group(const Unpacked<F>* w, const BlockQ8A* x, int64_t x_stride,
                                   V::Floats (*acc)[kParts]) {
  int8x16_t pairs[kPairs][4];
  for (int p = 0; p < kPairs; ++p) {
    pair_rows(x[2 * p * x_stride], x[(2 * p + 1) * x_stride], pairs[p]);
  }
  for (int part = 0; part < kParts; ++part) {
    for (int p = 0; p < kPairs; ++p) {
      V::Ints isum[2][F::kSums];
      dot<F::kSums>(w[part].pairs, pairs[p], isum);
      for (int r = 0; r < 2; ++r) {
        const int m = 2 * p + r;
        acc[m][part] = F::finish(isum[r], w[part].scales, x[m * x_stride], acc[m][part]);
      }
    }
  }
}

// 16 weight rows against `count` rows of activations; rows_at(block, part): where to read four of
// them. The last of an odd number of rows is multiplied as a pair with itself.
template <class F, class RowsAt>
BANTAM_QUANT_INLINE void tile(const BlockQ8A* x, RowsAt&& rows_at, float* y, int count,
                              const QuantLinearShape& shape) {
  const int64_t groups = shape.k / 32;
  V::Floats acc[kMost][kParts];
  for (int m = 0; m < count + count % 2; ++m) {
    for (int part = 0; part < kParts; ++part) acc[m][part] = V::set1(0.0f);
  }
  Unpacked<F> w[F::kGroups][kParts];
  for (int64_t block = 0; block < groups / F::kGroups; ++block) {
    if constexpr (requires { rows_at(block, 0).first; }) quant::fetch_ahead<F>(rows_at(block, 0).p);
    for (int part = 0; part < kParts; ++part) unpack<F>(rows_at(block, part), part, w);
    for (int s = 0; s < F::kGroups; ++s) {
      const BlockQ8A* xs = x + block * F::kGroups + s;
      int m = 0;
      for (; m + 4 <= count; m += 4) add_group<F, 2>(w[s], xs + m * groups, groups, acc + m);
      for (; m < count; m += 2) {
        add_group<F, 1>(w[s], xs + m * groups, m + 1 < count ? groups : 0, acc + m);
      }
    }
  }
  for (int m = 0; m < count; ++m) {
    for (int part = 0; part < kParts; ++part) {
      V::store(y + m * shape.y_stride + part * V::kRows, acc[m][part]);
    }
  }
}

template <class F, bool kInterleaved>
void linear(const BlockQ8A* x, const uint8_t* w, float* y, const QuantLinearShape& shape) {
  constexpr auto kFew = kInterleaved ? quant::linear_interleaved<V, F> : quant::linear<V, F>;
  const int64_t groups = shape.k / 32, stride = groups / F::kGroups * F::kBytes;
  for (int64_t m = 0; m < shape.m; m += kMost) {
    const int count = (int)(shape.m - m < kMost ? shape.m - m : kMost);
    const BlockQ8A* xm = x + m * groups;
    float* ym = y + m * shape.y_stride;
    if (count < kLeast<F>) {
      kFew(xm, w, ym, {count, shape.n, shape.k, shape.y_stride});
      continue;
    }
    for (int64_t n = 0; n < shape.n; n += kRowGroup) {
      const uint8_t* wn = w + n * stride;
      const auto rows_at = [&](int64_t block, int part) __attribute__((always_inline)) {
        if constexpr (kInterleaved) {
          return quant::InterleavedRows<V>{wn + block * kRowGroup * F::kBytes, part * V::kRows};
        } else {
          return quant::PlainRows<V>{wn + part * V::kRows * stride + block * F::kBytes, stride};
        }
      };
      tile<F>(xm, rows_at, ym + n, count, shape);
    }
  }
}

struct PairKernels {
  template <class F>
  static constexpr QuantLinear rows = linear<F, false>;
  template <class F>
  static constexpr QuantLinear groups = linear<F, true>;
};

}  // namespace

extern const QuantKernels quant_kernels;
constinit const QuantKernels quant_kernels =
    quant::every_format<V, PairKernels>(quant::quantize_neon, kRowGroup);

}  // namespace bantam::cpu::arm_i8mm
