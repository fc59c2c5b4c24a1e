#pragma once

// Four rows per NEON vector; a kernel file adds its dot products.

#include <arm_neon.h>
#include <stdint.h>

#include "cpu/quant/formats.h"

namespace bantam::cpu::quant {
namespace {

struct LanesNeon {
  using Ints = int32x4_t;
  using Floats = float32x4_t;
  static constexpr int kRows = 4;
  static constexpr int kSignedOffset = 0;

  BANTAM_QUANT_INLINE Ints dword(const uint8_t* p, int64_t stride) {
    int32_t rows[4];
    for (int r = 0; r < 4; ++r) __builtin_memcpy(&rows[r], p + r * stride, 4);
    return vld1q_s32(rows);
  }

  template <int kBytes>
  BANTAM_QUANT_INLINE void columns(const uint8_t* p, int64_t stride, Ints* out) {
    for (int half = 0; half < kBytes / 16; ++half, p += 16, out += 4) {
      const int32x4_t a = vreinterpretq_s32_u8(vld1q_u8(p));
      const int32x4_t b = vreinterpretq_s32_u8(vld1q_u8(p + stride));
      const int32x4_t c = vreinterpretq_s32_u8(vld1q_u8(p + 2 * stride));
      const int32x4_t d = vreinterpretq_s32_u8(vld1q_u8(p + 3 * stride));
      const int64x2_t ab_even = vreinterpretq_s64_s32(vtrn1q_s32(a, b));
      const int64x2_t ab_odd = vreinterpretq_s64_s32(vtrn2q_s32(a, b));
      const int64x2_t cd_even = vreinterpretq_s64_s32(vtrn1q_s32(c, d));
      const int64x2_t cd_odd = vreinterpretq_s64_s32(vtrn2q_s32(c, d));
      out[0] = vreinterpretq_s32_s64(vtrn1q_s64(ab_even, cd_even));
      out[1] = vreinterpretq_s32_s64(vtrn1q_s64(ab_odd, cd_odd));
      out[2] = vreinterpretq_s32_s64(vtrn2q_s64(ab_even, cd_even));
      out[3] = vreinterpretq_s32_s64(vtrn2q_s64(ab_odd, cd_odd));
    }
  }

  BANTAM_QUANT_INLINE Ints load(const uint8_t* p) { return vreinterpretq_s32_u8(vld1q_u8(p)); }
  BANTAM_QUANT_INLINE Floats load_halves(const uint8_t* p) {
    return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p)));
  }
  template <class F>
  BANTAM_QUANT_INLINE Floats floats(F&& f) {
    const float rows[4] = {f(0), f(1), f(2), f(3)};
    return vld1q_f32(rows);
  }

  BANTAM_QUANT_INLINE void prepare_signed(Ints*) {}
  BANTAM_QUANT_INLINE uint8x16_t as_bytes(Ints v) { return vreinterpretq_u8_s32(v); }
  BANTAM_QUANT_INLINE Ints differ(Ints a, Ints b) { return veorq_s32(a, b); }
  BANTAM_QUANT_INLINE Ints bytes(int x) { return vreinterpretq_s32_s8(vdupq_n_s8((int8_t)x)); }
  BANTAM_QUANT_INLINE Ints add_bytes(Ints a, Ints b) {
    return vreinterpretq_s32_u8(vaddq_u8(as_bytes(a), as_bytes(b)));
  }
  BANTAM_QUANT_INLINE Ints sub_bytes(Ints a, Ints b) {
    return vreinterpretq_s32_u8(vsubq_u8(as_bytes(a), as_bytes(b)));
  }
  BANTAM_QUANT_INLINE Ints at_least(Ints v, int x) {
    return vreinterpretq_s32_u8(vcgeq_u8(as_bytes(v), vdupq_n_u8((uint8_t)x)));
  }
  BANTAM_QUANT_INLINE Ints bits(Ints v, int first) {
    const uint32_t lanes[4] = {0, 0x04040404u, 0x08080808u, 0x0c0c0c0cu};
    const uint8x16_t byte =
        vaddq_u8(vreinterpretq_u8_u32(vld1q_u32(lanes)), vdupq_n_u8((uint8_t)(first / 8)));
    const uint32x4_t mask = vdupq_n_u32(0x08040201u << (first % 8));
    return vreinterpretq_s32_u8(
        vtstq_u8(vqtbl1q_u8(as_bytes(v), byte), vreinterpretq_u8_u32(mask)));
  }
  BANTAM_QUANT_INLINE Ints quartet(const uint32_t* table, Ints index) {
    uint32_t i[4];
    vst1q_u32(i, vreinterpretq_u32_s32(index));
    const uint32_t rows[4] = {table[i[0]], table[i[1]], table[i[2]], table[i[3]]};
    return vreinterpretq_s32_u32(vld1q_u32(rows));
  }
  BANTAM_QUANT_INLINE void octet(const uint64_t* table, Ints index, Ints* out) {
    uint32_t i[4];
    vst1q_u32(i, vreinterpretq_u32_s32(index));
    const uint64_t rows[4] = {table[i[0]], table[i[1]], table[i[2]], table[i[3]]};
    const int32x4_t a = vreinterpretq_s32_u64(vld1q_u64(rows));
    const int32x4_t b = vreinterpretq_s32_u64(vld1q_u64(rows + 2));
    out[0] = vuzp1q_s32(a, b);
    out[1] = vuzp2q_s32(a, b);
  }
  BANTAM_QUANT_INLINE Ints lookup(const int8_t* values, Ints v) {
    return vreinterpretq_s32_s8(vqtbl1q_s8(vld1q_s8(values), as_bytes(v)));
  }
  BANTAM_QUANT_INLINE Ints and_bytes(Ints v, int mask) {
    return vreinterpretq_s32_u8(vandq_u8(vreinterpretq_u8_s32(v), vdupq_n_u8((uint8_t)mask)));
  }
  BANTAM_QUANT_INLINE Ints and_ints(Ints v, int mask) { return vandq_s32(v, vdupq_n_s32(mask)); }
  BANTAM_QUANT_INLINE Ints either(Ints a, Ints b) { return vorrq_s32(a, b); }
  template <int kBits>
  BANTAM_QUANT_INLINE Ints srl(Ints v) {
    return vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(v), kBits));
  }
  template <int kBits>
  BANTAM_QUANT_INLINE Ints srl_bytes(Ints v) {
    return vreinterpretq_s32_u8(vshrq_n_u8(as_bytes(v), kBits));
  }
  template <int kBits>
  BANTAM_QUANT_INLINE Ints sll(Ints v) {
    return vshlq_n_s32(v, kBits);
  }
  template <int kBits>
  BANTAM_QUANT_INLINE Ints sra(Ints v) {
    return vshrq_n_s32(v, kBits);
  }
  BANTAM_QUANT_INLINE Ints sub(Ints a, Ints b) { return vsubq_s32(a, b); }
  BANTAM_QUANT_INLINE Ints set1(int x) { return vdupq_n_s32(x); }

  BANTAM_QUANT_INLINE Floats set1(float x) { return vdupq_n_f32(x); }
  BANTAM_QUANT_INLINE Floats half_low(Ints v) {
    return vcvt_f32_f16(vreinterpret_f16_u16(vmovn_u32(vreinterpretq_u32_s32(v))));
  }
  BANTAM_QUANT_INLINE Floats half_high(Ints v) { return half_low(srl<16>(v)); }
  BANTAM_QUANT_INLINE Floats convert(Ints v) { return vcvtq_f32_s32(v); }
  BANTAM_QUANT_INLINE Floats mul(Floats a, Floats b) { return vmulq_f32(a, b); }
  BANTAM_QUANT_INLINE Floats fma(Floats a, Floats b, Floats c) { return vfmaq_f32(c, a, b); }
  BANTAM_QUANT_INLINE Floats fnma(Floats a, Floats b, Floats c) { return vfmsq_f32(c, a, b); }
  BANTAM_QUANT_INLINE void store(float* y, Floats v) { vst1q_f32(y, v); }
};

inline void quantize_neon(const float* x, BlockQ8A* q, int64_t blocks) {
  for (int64_t b = 0; b < blocks; ++b, x += 32, ++q) {
    uint32x4_t most = vdupq_n_u32(0);
    for (int i = 0; i < 32; i += 4) {
      const uint32x4_t bits = vreinterpretq_u32_f32(vld1q_f32(x + i));
      most = vmaxq_u32(most, vandq_u32(bits, vdupq_n_u32(0x7fffffffu)));
    }
    const uint32_t bits = vmaxvq_u32(most);
    float inverse;
    if (!set_scale(bits, q, &inverse)) continue;
    for (int h = 0; h < 2; ++h) {
      int16x4_t words[4];
      for (int i = 0; i < 4; ++i) {
        const float32x4_t v = vmulq_n_f32(vld1q_f32(x + 16 * h + 4 * i), inverse);
        words[i] = vmovn_s32(vcvtnq_s32_f32(v));
      }
      const int8x16_t bytes = vcombine_s8(vmovn_s16(vcombine_s16(words[0], words[1])),
                                          vmovn_s16(vcombine_s16(words[2], words[3])));
      vst1q_s8(q->q + 16 * h, bytes);
      q->sum[h] = vaddlvq_s8(bytes);
    }
  }
}

}  // namespace
}  // namespace bantam::cpu::quant
