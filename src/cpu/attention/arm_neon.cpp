#include <arm_neon.h>

#include "cpu/attention/kernels.h"
#include "cpu/attention/vector_kernels.h"

namespace bantam::cpu::attention::arm_neon {

struct Vector {
  using Reg = float32x4_t;
  static constexpr int kWidth = 4, kTileRows = 4, kTileVectors = 4, kFewSums = 16;
  static Reg load(const float* p) { return vld1q_f32(p); }
  static void store(float* p, Reg x) { vst1q_f32(p, x); }
  static Reg set1(float x) { return vdupq_n_f32(x); }
  static Reg add(Reg a, Reg b) { return vaddq_f32(a, b); }
  static Reg sub(Reg a, Reg b) { return vsubq_f32(a, b); }
  static Reg mul(Reg a, Reg b) { return vmulq_f32(a, b); }
  static Reg div(Reg a, Reg b) { return vdivq_f32(a, b); }
  static Reg fma(Reg a, Reg b, Reg c) { return vfmaq_f32(c, a, b); }
  static Reg max(Reg a, Reg b) { return vmaxq_f32(a, b); }
  static Reg load_f16(const uint16_t* p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
  static Reg load_bf16(const uint16_t* p) {
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16));
  }
  static uint32x4_t dwords(const uint8_t* p) { return vreinterpretq_u32_u8(vld1q_u8(p)); }
  // Four bytes, each in a lane.
  static uint32x4_t widened(const uint8_t* p) {
    uint32_t four;
    memcpy(&four, p, sizeof four);
    return vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(four))));
  }
  template <int kShift>
  static uint32x4_t shifted(uint32x4_t x) {
    if constexpr (kShift > 0) x = vshrq_n_u32(x, kShift);
    return x;
  }
  template <int kShift>
  static Reg signed_byte(const uint8_t* p) {
    const int32x4_t x = vreinterpretq_s32_u32(vshlq_n_u32(dwords(p), 24 - kShift));
    return vcvtq_f32_s32(vshrq_n_s32(x, 24));
  }
  template <int kShift>
  static Reg nibble(const uint8_t* p) {
    return less_8(vandq_u32(shifted<kShift>(dwords(p)), vdupq_n_u32(15)));
  }
  static Reg bytes(const uint8_t* p) {
    const int32x4_t x = vreinterpretq_s32_u32(vshlq_n_u32(widened(p), 24));
    return vcvtq_f32_s32(vshrq_n_s32(x, 24));
  }
  template <int kShift>
  static Reg nibbles(const uint8_t* p) {
    return less_8(vandq_u32(shifted<kShift>(widened(p)), vdupq_n_u32(15)));
  }
  static Reg less_8(uint32x4_t x) {
    return vcvtq_f32_s32(vsubq_s32(vreinterpretq_s32_u32(x), vdupq_n_s32(8)));
  }
  static Reg keep(Reg x, int64_t n, Reg other) {
    if (n >= 4) return x;
    static const int32_t index[4] = {0, 1, 2, 3};
    const int32x4_t limit = vdupq_n_s32(static_cast<int32_t>(n > 0 ? n : 0));
    return vbslq_f32(vcgtq_s32(limit, vld1q_s32(index)), x, other);
  }
  static Reg exp_bits(Reg p, Reg t) {
    const int32x4_t n = vshlq_n_s32(vreinterpretq_s32_f32(t), 23);
    return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(p), n));
  }
  static Reg zero_below(Reg y, Reg x, float limit) {
    const uint32x4_t below = vcltq_f32(x, set1(limit));
    return vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(y), below));
  }
  static float reduce_max(Reg x) { return vmaxvq_f32(x); }
  static void transpose(Reg* r) {
    const float32x4_t a = vtrn1q_f32(r[0], r[1]), b = vtrn2q_f32(r[0], r[1]);
    const float32x4_t c = vtrn1q_f32(r[2], r[3]), d = vtrn2q_f32(r[2], r[3]);
    r[0] = vcombine_f32(vget_low_f32(a), vget_low_f32(c));
    r[1] = vcombine_f32(vget_low_f32(b), vget_low_f32(d));
    r[2] = vcombine_f32(vget_high_f32(a), vget_high_f32(c));
    r[3] = vcombine_f32(vget_high_f32(b), vget_high_f32(d));
  }
};

extern const FloatKernels kKernels = VectorKernels<Vector>::kTable;

}  // namespace bantam::cpu::attention::arm_neon
