#pragma once

#include <arm_neon.h>

#include "cpu/elementwise/lanes/lanes.h"

namespace bantam::cpu::arm_neon {

struct Lanes {
  struct F {
    float32x4_t v[4];
  };
  struct I {
    uint32x4_t v[4];
  };

  template <class Fn>
  static F each(Fn fn) {
    return {{fn(0), fn(1), fn(2), fn(3)}};
  }
  template <class Fn>
  static I eachi(Fn fn) {
    return {{fn(0), fn(1), fn(2), fn(3)}};
  }

  static F load(const float* p) {
    return each([&](int q) { return vld1q_f32(p + 4 * q); });
  }
  static F load(const Bf16* p) {
    return each(
        [&](int q) { return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(&p[4 * q].bits), 16)); });
  }
  static F load(const F16* p) {
    return each(
        [&](int q) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(&p[4 * q].bits))); });
  }
  static void store(float* p, F a) {
    for (int q = 0; q < 4; ++q) vst1q_f32(p + 4 * q, a.v[q]);
  }
  // Round to nearest even by adding just under half an ulp, plus one if the kept part is odd.
  static void store(Bf16* p, F a) {
    for (int q = 0; q < 4; ++q) {
      const uint32x4_t bits = vreinterpretq_u32_f32(a.v[q]), high = vshrq_n_u32(bits, 16);
      const uint32x4_t odd = vandq_u32(high, vdupq_n_u32(1));
      const uint32x4_t rounded =
          vshrq_n_u32(vaddq_u32(bits, vaddq_u32(vdupq_n_u32(0x7fff), odd)), 16);
      const uint32x4_t nan = vorrq_u32(high, vdupq_n_u32(0x40));
      vst1_u16(&p[4 * q].bits, vmovn_u32(vbslq_u32(vceqq_f32(a.v[q], a.v[q]), rounded, nan)));
    }
  }
  static void store(F16* p, F a) {
    for (int q = 0; q < 4; ++q) {
      vst1_u16(&p[4 * q].bits, vreinterpret_u16_f16(vcvt_f16_f32(a.v[q])));
    }
  }

  static F set(float x) {
    return each([&](int) { return vdupq_n_f32(x); });
  }
  static F add(F a, F b) {
    return each([&](int q) { return vaddq_f32(a.v[q], b.v[q]); });
  }
  static F sub(F a, F b) {
    return each([&](int q) { return vsubq_f32(a.v[q], b.v[q]); });
  }
  static F mul(F a, F b) {
    return each([&](int q) { return vmulq_f32(a.v[q], b.v[q]); });
  }
  static F div(F a, F b) {
    return each([&](int q) { return vdivq_f32(a.v[q], b.v[q]); });
  }
  static F sqrt(F a) {
    return each([&](int q) { return vsqrtq_f32(a.v[q]); });
  }
  static F fma(F a, F b, F c) {
    return each([&](int q) { return vfmaq_f32(c.v[q], a.v[q], b.v[q]); });
  }
  static F max(F a, F b) {
    return each([&](int q) { return larger(a.v[q], b.v[q]); });
  }
  static F min(F a, F b) {
    return each([&](int q) { return vbslq_f32(vcltq_f32(a.v[q], b.v[q]), a.v[q], b.v[q]); });
  }
  static float sum(F a) {
    const float32x4_t four = vaddq_f32(vaddq_f32(a.v[0], a.v[2]), vaddq_f32(a.v[1], a.v[3]));
    const float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
  }
  static float largest(F a) {
    const float32x4_t four = larger(larger(a.v[0], a.v[2]), larger(a.v[1], a.v[3]));
    const float32x4_t two = larger(four, vextq_f32(four, four, 2));
    return vgetq_lane_f32(larger(two, vextq_f32(two, two, 1)), 0);
  }
  static F swap_pairs(F a) {
    return each([&](int q) { return vrev64q_f32(a.v[q]); });
  }

  static I seti(uint32_t x) {
    return eachi([&](int) { return vdupq_n_u32(x); });
  }
  static I iota() {
    const uint32_t first[4] = {0, 1, 2, 3};
    return eachi([&](int q) {
      return vaddq_u32(vld1q_u32(first), vdupq_n_u32(4 * static_cast<uint32_t>(q)));
    });
  }
  static I addi(I a, I b) {
    return eachi([&](int q) { return vaddq_u32(a.v[q], b.v[q]); });
  }
  static I subi(I a, I b) {
    return eachi([&](int q) { return vsubq_u32(a.v[q], b.v[q]); });
  }
  static I muli(I a, I b) {
    return eachi([&](int q) { return vmulq_u32(a.v[q], b.v[q]); });
  }
  static I xori(I a, I b) {
    return eachi([&](int q) { return veorq_u32(a.v[q], b.v[q]); });
  }
  template <int n>
  static I shift_left(I a) {
    return eachi([&](int q) { return vshlq_n_u32(a.v[q], n); });
  }
  template <int n>
  static I shift_right(I a) {
    return eachi([&](int q) { return vshrq_n_u32(a.v[q], n); });
  }
  static I halve(I a) {
    return eachi([&](int q) {
      return vreinterpretq_u32_s32(vshrq_n_s32(vreinterpretq_s32_u32(a.v[q]), 1));
    });
  }
  static I as_int(F a) {
    return eachi([&](int q) { return vreinterpretq_u32_f32(a.v[q]); });
  }
  static F as_float(I a) {
    return each([&](int q) { return vreinterpretq_f32_u32(a.v[q]); });
  }
  static F keep(F x, I a, I b) {
    return each([&](int q) {
      const uint32x4_t kept =
          vcgeq_s32(vreinterpretq_s32_u32(a.v[q]), vreinterpretq_s32_u32(b.v[q]));
      return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(x.v[q]), kept));
    });
  }

 private:
  static float32x4_t larger(float32x4_t a, float32x4_t b) {
    return vbslq_f32(vcgtq_f32(a, b), a, b);
  }
};

}  // namespace bantam::cpu::arm_neon
