#include "cpu/quant/lanes_neon.h"
#include "cpu/quant/row_tile.h"

namespace bantam::cpu::arm_neon {

namespace {

// Without a dot-product instruction: 16-bit products, added pairwise into 32 bits.
struct Lanes : quant::LanesNeon {
  template <int kMax, int kCount>
  BANTAM_QUANT_INLINE Ints dot(const Ints* w, const int8_t* x) {
    int32x4_t low = vdupq_n_s32(0), high = low;  // rows 0 and 1, rows 2 and 3
    for (int j = 0; j < kCount; ++j) {
      int32_t bytes;
      __builtin_memcpy(&bytes, x + 4 * j, 4);
      const int8x8_t four = vreinterpret_s8_s32(vdup_n_s32(bytes));
      const int8x16_t rows = vreinterpretq_s8_s32(w[j]);
      low = vpadalq_s16(low, vmull_s8(vget_low_s8(rows), four));
      high = vpadalq_s16(high, vmull_s8(vget_high_s8(rows), four));
    }
    return vpaddq_s32(low, high);
  }
  BANTAM_QUANT_INLINE Ints dot_signed(const Ints* w, const int8_t* x) { return dot<127, 8>(w, x); }
};

}  // namespace

extern const QuantKernels quant_kernels;
constinit const QuantKernels quant_kernels = quant::every_format<Lanes>(quant::quantize_neon);

}  // namespace bantam::cpu::arm_neon
