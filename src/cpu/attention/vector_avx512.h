#pragma once

// GCC 12 takes the undefined pass-through operands of its own intrinsics for a mistake.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include <stdint.h>

namespace bantam::cpu::attention {
namespace {  // a type of each including file: code for one processor cannot reach another

struct Avx512 {
  using Reg = __m512;
  static constexpr int kWidth = 16, kTileRows = 6, kTileVectors = 4, kFewSums = 16;
  static Reg load(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, Reg x) { _mm512_storeu_ps(p, x); }
  static Reg set1(float x) { return _mm512_set1_ps(x); }
  static Reg add(Reg a, Reg b) { return _mm512_add_ps(a, b); }
  static Reg sub(Reg a, Reg b) { return _mm512_sub_ps(a, b); }
  static Reg mul(Reg a, Reg b) { return _mm512_mul_ps(a, b); }
  static Reg div(Reg a, Reg b) { return _mm512_div_ps(a, b); }
  static Reg fma(Reg a, Reg b, Reg c) { return _mm512_fmadd_ps(a, b, c); }
  static Reg max(Reg a, Reg b) { return _mm512_max_ps(a, b); }
  static Reg load_f16(const uint16_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static Reg load_bf16(const uint16_t* p) {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
  }
  template <int kShift>
  static Reg signed_byte(const uint8_t* p) {
    const __m512i x = _mm512_loadu_si512(p);
    return _mm512_cvtepi32_ps(_mm512_srai_epi32(_mm512_slli_epi32(x, 24 - kShift), 24));
  }
  template <int kShift>
  static Reg nibble(const uint8_t* p) {
    const __m512i x = _mm512_loadu_si512(p);
    return less_8(_mm512_and_si512(_mm512_srli_epi32(x, kShift), _mm512_set1_epi32(15)));
  }
  static Reg bytes(const uint8_t* p) {
    return _mm512_cvtepi32_ps(
        _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
  }
  template <int kShift>
  static Reg nibbles(const uint8_t* p) {
    const __m512i x = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    return less_8(_mm512_and_si512(_mm512_srli_epi32(x, kShift), _mm512_set1_epi32(15)));
  }
  static Reg less_8(__m512i x) {
    return _mm512_cvtepi32_ps(_mm512_sub_epi32(x, _mm512_set1_epi32(8)));
  }
  static Reg keep(Reg x, int64_t n, Reg other) {
    if (n >= 16) return x;
    const auto mask = static_cast<__mmask16>(n > 0 ? (1u << n) - 1u : 0u);
    return _mm512_mask_blend_ps(mask, other, x);
  }
  static Reg exp_bits(Reg p, Reg t) {
    const __m512i n = _mm512_slli_epi32(_mm512_castps_si512(t), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p), n));
  }
  static Reg zero_below(Reg y, Reg x, float limit) {
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, set1(limit), _CMP_NLT_UQ), y);
  }
  static float reduce_max(Reg x) { return _mm512_reduce_max_ps(x); }

  static void transpose(Reg* r) {
    Reg t[16];
    for (int i = 0; i < 16; i += 4) {  // 4x4 blocks within each 128-bit lane
      const Reg a = _mm512_unpacklo_ps(r[i], r[i + 1]), b = _mm512_unpackhi_ps(r[i], r[i + 1]);
      const Reg c = _mm512_unpacklo_ps(r[i + 2], r[i + 3]);
      const Reg d = _mm512_unpackhi_ps(r[i + 2], r[i + 3]);
      t[i] = _mm512_shuffle_ps(a, c, 0x44);
      t[i + 1] = _mm512_shuffle_ps(a, c, 0xee);
      t[i + 2] = _mm512_shuffle_ps(b, d, 0x44);
      t[i + 3] = _mm512_shuffle_ps(b, d, 0xee);
    }
    for (int i = 0; i < 4; ++i) {  // then the 4x4 arrangement of those lanes
      const Reg a = _mm512_shuffle_f32x4(t[i], t[i + 4], 0x88);
      const Reg b = _mm512_shuffle_f32x4(t[i], t[i + 4], 0xdd);
      const Reg c = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0x88);
      const Reg d = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0xdd);
      r[i] = _mm512_shuffle_f32x4(a, c, 0x88);
      r[i + 4] = _mm512_shuffle_f32x4(b, d, 0x88);
      r[i + 8] = _mm512_shuffle_f32x4(a, c, 0xdd);
      r[i + 12] = _mm512_shuffle_f32x4(b, d, 0xdd);
    }
  }
};

}  // namespace
}  // namespace bantam::cpu::attention
