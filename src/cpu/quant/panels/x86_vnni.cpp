#include "cpu/quant/panels/lanes_512.h"
#include "cpu/quant/panels/unsigned_blocks.h"

// Two vector instructions a cycle are the limit, dot products among them: two vectors of 16 weight
// rows share each broadcast of activations, which are unsigned bytes q + 128, and what the 128 adds
// is in the value that a chain of dot products starts with.

namespace bantam::cpu::x86_vnni {

namespace {

using V = quant::CentredLanes512;
using quant::PanelBlock;

constexpr int kRows = 128;    // of activations, at most: their sums stay in the first-level cache
constexpr int kTogether = 2;  // rows of activations whose chains of dot products alternate

// One group of 32 elements of kParts vectors of weight rows.
template <class F, int kParts>
struct Weights {
  static constexpr int kEach = 8 / F::kSums;  // vectors of an integer sum

  __m512i w[8][kParts], start[F::kSums][kParts];
  typename F::Scales scales[kParts];

  [[gnu::always_inline]] inline void set(int part, const __m512i* levels,
                                         const typename F::Scales& s) {
    for (int h = 0; h < F::kSums; ++h) {
      __m512i sum = _mm512_setzero_si512();
      for (int j = h * kEach; j < (h + 1) * kEach; ++j) {
        w[j][part] = V::sub_bytes(levels[j], V::bytes(F::kOffset));
        sum = _mm512_dpbusd_epi32(sum, V::bytes(-128), w[j][part]);
      }
      start[h][part] = V::sub(_mm512_setzero_si512(), sum);
    }
    scales[part] = s;
  }

  template <int kCount>
  [[gnu::always_inline]] inline void rows(const PanelBlock* x, const __m512i (&kept)[8][kParts],
                                          __m512 (*acc)[kParts]) const {
    __m512i sum[kCount][kParts][F::kSums];
    for (int j = 0; j < 8; ++j) {
      const int h = j / kEach;
      for (int i = 0; i < kCount; ++i) {
        const __m512i xj = V::four((const int8_t*)x[i].u + 4 * j);
        for (int p = 0; p < kParts; ++p) {
          const __m512i before = j % kEach == 0 ? start[h][p] : sum[i][p][h];
          sum[i][p][h] = _mm512_dpbusd_epi32(before, xj, kept[j][p]);
        }
      }
    }
    for (int i = 0; i < kCount; ++i) {
      for (int p = 0; p < kParts; ++p) {
        acc[i][p] = F::finish(sum[i][p], scales[p], x[i], acc[i][p]);
      }
    }
  }

  [[gnu::always_inline]] inline void multiply(const PanelBlock* x, int count,
                                              __m512 (*acc)[kParts]) const {
    __m512i kept[8][kParts];
    for (int j = 0; j < 8; ++j) {
      for (int p = 0; p < kParts; ++p) kept[j][p] = w[j][p];
    }
    int m = 0;
    for (; m + kTogether <= count; m += kTogether) rows<kTogether>(x + m, kept, acc + m);
    for (; m < count; ++m) rows<1>(x + m, kept, acc + m);
  }
};

// kParts groups of 16 weight rows against a panel.
template <class F, int kParts>
void row_groups(const PanelBlock* x, const uint8_t* w, float* y, const QuantLinearShape& shape) {
  const int64_t groups = shape.k / 32, stride = groups / F::kGroups * kRowGroup * F::kBytes;
  const int count = (int)shape.m;
  alignas(64) __m512 acc[kRows][kParts];
  for (int m = 0; m < count; ++m) {
    for (int p = 0; p < kParts; ++p) acc[m][p] = _mm512_setzero_ps();
  }
  Weights<F, kParts> unpacked[F::kGroups];
  int64_t fetched = 0;  // rows of y: a write would wait for its line
  for (int64_t g = 0; g < groups; g += F::kGroups, w += kRowGroup * F::kBytes) {
    for (const int64_t end = (g + F::kGroups) * count / groups; fetched < end; ++fetched) {
      for (int p = 0; p < kParts; ++p) __builtin_prefetch(y + fetched * shape.y_stride + 16 * p, 1);
    }
    for (int part = 0; part < kParts; ++part) {
      F::unpack(
          quant::InterleavedRows<V>{w + part * stride, 0}, [&](int s, const __m512i* levels,
                                                               const typename F::Scales& scales)
                                                               __attribute__((always_inline)) {
                                                                 unpacked[s].set(part, levels,
                                                                                 scales);
                                                               });
    }
    for (int s = 0; s < F::kGroups; ++s, x += count) unpacked[s].multiply(x, count, acc);
  }
  for (int m = 0; m < count; ++m) {
    for (int p = 0; p < kParts; ++p) V::store(y + m * shape.y_stride + 16 * p, acc[m][p]);
  }
}

template <class F>
void multiply(const void* panel, const uint8_t* w, float* y, const QuantLinearShape& shape) {
  const int64_t group_bytes = shape.k / 32 / F::kGroups * kRowGroup * F::kBytes;
  const auto* x = (const PanelBlock*)panel;
  int64_t n = 0;
  for (; n + 2 * kRowGroup <= shape.n; n += 2 * kRowGroup, w += 2 * group_bytes) {
    row_groups<F, 2>(x, w, y + n, shape);
  }
  if (n < shape.n) row_groups<F, 1>(x, w, y + n, shape);
}

struct Kernels {
  template <class F>
  static constexpr PanelLinear linear = multiply<F>;
};

}  // namespace

extern const PanelKernels panel_kernels;
constinit const PanelKernels panel_kernels =
    quant::panels_of_every_format<Kernels>(kRows, 1, sizeof(PanelBlock), quant::pack_unsigned, 24);

}  // namespace bantam::cpu::x86_vnni
