#include <immintrin.h>
#include <stdint.h>

#include "cpu/quant/lanes_256.h"
#include "cpu/quant/panels/every_format.h"
#include "cpu/quant/panels/unsigned_blocks.h"

// Processors without dot products start about four vector instructions and two loads a cycle, so
// that what counts is their number. Activations are unsigned bytes q + 128, which leaves weights
// the operand that may lie in memory; two vectors of eight rows share each broadcast of
// activations, some of their weights stay in registers, and what the 128 adds is taken off a vector
// of sums once, by the value that they start with. Sums of 16 bits wrap around on the way; the last
// one fits.

namespace bantam::cpu::x86_avx2 {

namespace {

constexpr int kRows = 64;  // of activations, at most: their sums stay in the first-level cache
constexpr int kParts = kRowGroup / 8;

using quant::PanelBlock;

using Lanes = quant::CentredLanes<quant::Lanes256>;

// Compilers neither know better where to keep a value nor in which order to add.
BANTAM_QUANT_INLINE void settle(__m256i& v) {
  __asm__("" : "+x"(v));
}

// The weights of one group of 32 elements and 16 rows, at most 64 in magnitude, so that a product
// of pairs fits 16 bits; as many are added there as fit.
template <class F>
struct SmallWeights {
  static constexpr int kMost =
      F::kOffset > F::kMax - F::kOffset ? F::kOffset : F::kMax - F::kOffset;
  static_assert(kMost <= 64);
  static constexpr int kFit = 32767 / (2 * 127 * kMost);
  static constexpr int kEach = 8 / F::kSums;  // vectors of an integer sum
  static constexpr int kRun = kFit >= kEach ? kEach : kFit >= 4 ? 4 : 2;
  static constexpr int kRuns = 8 / kRun, kRunsOfSum = kRuns / F::kSums;
  // Weights of a run may be added as bytes.
  static_assert(F::kOffset * kRun <= 128 && (F::kMax - F::kOffset) * kRun <= 127);

  __m256i w[8][kParts], start[kRuns][kParts];
  typename F::Scales scales[kParts];

  [[gnu::always_inline]] inline void set(int part, const __m256i* levels,
                                         const typename F::Scales& s) {
    const __m256i top = _mm256_set1_epi8(-128);  // 128, unsigned
    for (int r = 0; r < kRuns; ++r) {
      __m256i sum = _mm256_setzero_si256();
      for (int j = r * kRun; j < (r + 1) * kRun; ++j) {
        w[j][part] =
            F::kOffset == 0 ? levels[j] : _mm256_sub_epi8(levels[j], _mm256_set1_epi8(F::kOffset));
        sum = j == r * kRun ? w[j][part] : _mm256_add_epi8(sum, w[j][part]);
      }
      start[r][part] = _mm256_sub_epi16(_mm256_setzero_si256(), _mm256_maddubs_epi16(top, sum));
    }
    scales[part] = s;
  }

  [[gnu::always_inline]] inline void multiply(const PanelBlock* x, int count,
                                              __m256 (*acc)[kParts]) const {
    constexpr int kKept = 4;
    __m256i kept[kKept][kParts], one = _mm256_set1_epi16(1);
    settle(one);
    for (int j = 0; j < kKept; ++j) {
      for (int p = 0; p < kParts; ++p) settle(kept[j][p] = w[j][p]);
    }
    for (int m = 0; m < count; ++m) {
      const PanelBlock& xm = x[m];
      __m256i isum[kParts][F::kSums] = {}, sum[kParts] = {};
      for (int j = 0; j < 8; ++j) {
        const __m256i xj = Lanes::four((const int8_t*)xm.u + 4 * j);
        const int run = j / kRun;
        for (int p = 0; p < kParts; ++p) {
          const __m256i pairs = _mm256_maddubs_epi16(xj, j < kKept ? kept[j][p] : w[j][p]);
          sum[p] = _mm256_add_epi16(j % kRun == 0 ? start[run][p] : sum[p], pairs);
          settle(sum[p]);
          if (j % kRun < kRun - 1) continue;
          const __m256i wide = _mm256_madd_epi16(sum[p], one);
          __m256i& to = isum[p][run / kRunsOfSum];
          to = run % kRunsOfSum == 0 ? wide : _mm256_add_epi32(to, wide);
        }
      }
      for (int p = 0; p < kParts; ++p) acc[m][p] = F::finish(isum[p], scales[p], xm, acc[m][p]);
    }
  }
};

// Signed bytes, as 16 high + low with both from -8 to 8: twice the products, but none of them has
// to be widened, and none needs the sign of its weight.
template <class F>
struct SignedWeights {
  static_assert(F::kSums == 1 && F::kMax == quant::kSignedMax);
  __m256i high[8][kParts], low[8][kParts], start_high[kParts], start_low[kParts];
  typename F::Scales scales[kParts];

  [[gnu::always_inline]] inline void set(int part, const __m256i* levels,
                                         const typename F::Scales& s) {
    const __m256i top = _mm256_set1_epi8(-128), eight = _mm256_set1_epi8(8);
    __m256i sum_high = _mm256_setzero_si256(), sum_low = sum_high;
    for (int j = 0; j < 8; ++j) {
      const __m256i v = levels[j];
      const __m256i nibble = _mm256_and_si256(_mm256_add_epi8(v, eight), _mm256_set1_epi8(15));
      low[j][part] = _mm256_sub_epi8(nibble, eight);
      // floor((v + 128 + 8) / 16), from eighths, so that nothing overflows a byte.
      const __m256i eighths =
          _mm256_and_si256(_mm256_srli_epi16(_mm256_xor_si256(v, top), 3), _mm256_set1_epi8(31));
      const __m256i up = _mm256_avg_epu8(eighths, _mm256_setzero_si256());
      high[j][part] = _mm256_sub_epi8(up, eight);
      sum_high = _mm256_sub_epi16(sum_high, _mm256_maddubs_epi16(top, high[j][part]));
      sum_low = _mm256_sub_epi16(sum_low, _mm256_maddubs_epi16(top, low[j][part]));
    }
    start_high[part] = sum_high;
    start_low[part] = sum_low;
    scales[part] = s;
  }

  [[gnu::always_inline]] inline void multiply(const PanelBlock* x, int count,
                                              __m256 (*acc)[kParts]) const {
    for (int m = 0; m < count; ++m) {
      const PanelBlock& xm = x[m];
      __m256i up[kParts] = {start_high[0], start_high[1]};
      __m256i down[kParts] = {start_low[0], start_low[1]};
      for (int j = 0; j < 8; ++j) {
        const __m256i xj = Lanes::four((const int8_t*)xm.u + 4 * j);
        for (int p = 0; p < kParts; ++p) {
          up[p] = _mm256_add_epi16(up[p], _mm256_maddubs_epi16(xj, high[j][p]));
          settle(up[p]);
          down[p] = _mm256_add_epi16(down[p], _mm256_maddubs_epi16(xj, low[j][p]));
          settle(down[p]);
        }
      }
      for (int p = 0; p < kParts; ++p) {
        const __m256i isum[1] = {
            _mm256_add_epi32(_mm256_madd_epi16(up[p], _mm256_set1_epi16(16)),
                             _mm256_madd_epi16(down[p], _mm256_set1_epi16(1)))};
        acc[m][p] = F::finish(isum, scales[p], xm, acc[m][p]);
      }
    }
  }
};

template <class F, bool kSigned = F::kMax == quant::kSignedMax>
struct WeightsOf {
  using Type = SmallWeights<F>;
};
template <class F>
struct WeightsOf<F, true> {
  using Type = SignedWeights<F>;
};

// One group of 16 weight rows against a panel.
template <class F>
void row_group(const PanelBlock* x, const uint8_t* w, float* y, const QuantLinearShape& shape) {
  const int64_t groups = shape.k / 32;
  const int count = (int)shape.m;
  __m256 acc[kRows][kParts];
  for (int m = 0; m < count; ++m) acc[m][0] = acc[m][1] = _mm256_setzero_ps();
  typename WeightsOf<F>::Type unpacked[F::kGroups];
  quant::ResultLines<kRowGroup> lines(y, shape);
  for (int64_t g = 0; g < groups; g += F::kGroups, w += kRowGroup * F::kBytes) {
    lines.fetch(g + F::kGroups);
    quant::fetch_ahead<F>(w);
    for (int part = 0; part < kParts; ++part) {
      F::unpack(
          quant::InterleavedRows<Lanes>{w, part * Lanes::kRows},
          [&](int s, const __m256i* levels, const typename F::Scales& scales)
              __attribute__((always_inline)) { unpacked[s].set(part, levels, scales); });
    }
    for (int s = 0; s < F::kGroups; ++s, x += count) unpacked[s].multiply(x, count, acc);
  }
  for (int m = 0; m < count; ++m) {
    for (int p = 0; p < kParts; ++p) _mm256_storeu_ps(y + m * shape.y_stride + 8 * p, acc[m][p]);
  }
}

template <class F>
void multiply_panel(const void* panel, const uint8_t* w, float* y, const QuantLinearShape& shape) {
  const int64_t group_bytes = shape.k / 32 / F::kGroups * kRowGroup * F::kBytes;
  for (int64_t n = 0; n < shape.n; n += kRowGroup, w += group_bytes) {
    row_group<F>((const PanelBlock*)panel, w, y + n, shape);
  }
}

struct Kernels {
  template <class F>
  static constexpr PanelLinear linear = multiply_panel<F>;
};

}  // namespace

extern const PanelKernels panel_kernels;
constinit const PanelKernels panel_kernels = quant::panels_of_every_format<Lanes, Kernels>(
    kRows, 1, sizeof(PanelBlock), quant::pack_unsigned, {16, 3});

}  // namespace bantam::cpu::x86_avx2
