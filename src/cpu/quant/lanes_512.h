#pragma once

// Sixteen rows per AVX-512 vector, with VNNI. Included by the kernel files that have both.

#if defined(__GNUC__) && !defined(__clang__)
// False alarms inside the intrinsics' own header (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#include <immintrin.h>
#include <stdint.h>

#include "cpu/quant/dot_lanes.h"

namespace bantam::cpu::quant {
namespace {

struct BareLanes512 {
  using Ints = __m512i;
  using Floats = __m512;
  static constexpr int kRows = 16;

  BANTAM_QUANT_INLINE Ints dword(const uint8_t* p, int64_t stride) {
    const __m512i rows = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm512_i32gather_epi32(_mm512_mullo_epi32(rows, _mm512_set1_epi32((int)stride)), p, 1);
  }

  // Rows r, r + 4, r + 8, r + 12: one per 128-bit lane.
  BANTAM_QUANT_INLINE __m512i four_rows(const uint8_t* p, int64_t stride) {
    const auto at = [&](int64_t row) {
      return _mm_loadu_si128((const __m128i*)(const void*)(p + row * stride));
    };
    __m512i v = _mm512_castsi128_si512(at(0));
    v = _mm512_mask_broadcast_i32x4(v, 0x00f0, at(4));
    v = _mm512_mask_broadcast_i32x4(v, 0x0f00, at(8));
    return _mm512_mask_broadcast_i32x4(v, 0xf000, at(12));
  }

  template <int kBytes>
  BANTAM_QUANT_INLINE void columns(const uint8_t* p, int64_t stride, Ints* out) {
    for (int half = 0; half < kBytes / 16; ++half, p += 16, out += 4) {
      const __m512i a = four_rows(p, stride), b = four_rows(p + stride, stride);
      const __m512i c = four_rows(p + 2 * stride, stride), d = four_rows(p + 3 * stride, stride);
      const __m512i ab_low = _mm512_unpacklo_epi32(a, b), ab_high = _mm512_unpackhi_epi32(a, b);
      const __m512i cd_low = _mm512_unpacklo_epi32(c, d), cd_high = _mm512_unpackhi_epi32(c, d);
      out[0] = _mm512_unpacklo_epi64(ab_low, cd_low);
      out[1] = _mm512_unpackhi_epi64(ab_low, cd_low);
      out[2] = _mm512_unpacklo_epi64(ab_high, cd_high);
      out[3] = _mm512_unpackhi_epi64(ab_high, cd_high);
    }
  }

  BANTAM_QUANT_INLINE Ints load(const uint8_t* p) { return _mm512_loadu_si512(p); }
  BANTAM_QUANT_INLINE Floats load_halves(const uint8_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i*)(const void*)p));
  }

  template <class F>
  BANTAM_QUANT_INLINE Floats floats(F&& f) {
    return _mm512_setr_ps(f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7), f(8), f(9), f(10), f(11),
                          f(12), f(13), f(14), f(15));
  }

  BANTAM_QUANT_INLINE __m512i four(const int8_t* x) {
    int32_t bytes;
    __builtin_memcpy(&bytes, x, 4);
    return _mm512_set1_epi32(bytes);
  }

  BANTAM_QUANT_INLINE Ints add_dot(Ints sum, Ints u, Ints s) {
    return _mm512_dpbusd_epi32(sum, u, s);
  }
  BANTAM_QUANT_INLINE Ints and_bytes(Ints v, char mask) {
    return _mm512_and_si512(v, _mm512_set1_epi8(mask));
  }
  BANTAM_QUANT_INLINE Ints and_ints(Ints v, int mask) {
    return _mm512_and_si512(v, _mm512_set1_epi32(mask));
  }
  BANTAM_QUANT_INLINE Ints either(Ints a, Ints b) { return _mm512_or_si512(a, b); }
  BANTAM_QUANT_INLINE Ints differ(Ints a, Ints b) { return _mm512_xor_si512(a, b); }
  BANTAM_QUANT_INLINE Ints bytes(char x) { return _mm512_set1_epi8(x); }
  BANTAM_QUANT_INLINE Ints add_bytes(Ints a, Ints b) { return _mm512_add_epi8(a, b); }
  BANTAM_QUANT_INLINE Ints sub_bytes(Ints a, Ints b) { return _mm512_sub_epi8(a, b); }
  BANTAM_QUANT_INLINE Ints at_least(Ints v, int x) {
    return _mm512_movm_epi8(_mm512_cmpge_epu8_mask(v, _mm512_set1_epi8((char)x)));
  }
  BANTAM_QUANT_INLINE Ints bits(Ints v, int first) {
    const __m512i lanes =
        _mm512_broadcast_i32x4(_mm_setr_epi32(0, 0x04040404, 0x08080808, 0x0c0c0c0c));
    const __m512i byte = _mm512_add_epi8(lanes, _mm512_set1_epi8((char)(first / 8)));
    const __m512i mask = _mm512_set1_epi32((int)(0x08040201u << (first % 8)));
    return _mm512_movm_epi8(_mm512_test_epi8_mask(_mm512_shuffle_epi8(v, byte), mask));
  }
  BANTAM_QUANT_INLINE Ints quartet(const uint32_t* table, Ints index) {
    return _mm512_i32gather_epi32(index, table, 4);
  }
  BANTAM_QUANT_INLINE void octet(const uint64_t* table, Ints index, Ints* out) {
    const __m512i even =
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    const __m512i a = _mm512_i32gather_epi64(_mm512_castsi512_si256(index), table, 8);
    const __m512i b = _mm512_i32gather_epi64(_mm512_extracti64x4_epi64(index, 1), table, 8);
    out[0] = _mm512_permutex2var_epi32(a, even, b);
    out[1] = _mm512_permutex2var_epi32(a, odd, b);
  }
  BANTAM_QUANT_INLINE Ints lookup(const int8_t* values, Ints v) {
    const __m128i table = _mm_loadu_si128((const __m128i*)(const void*)values);
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(table), v);
  }
  template <int kBits>
  BANTAM_QUANT_INLINE Ints srl(Ints v) {
    return _mm512_srli_epi32(v, kBits);
  }
  template <int kBits>
  BANTAM_QUANT_INLINE Ints srl_bytes(Ints v) {
    return and_bytes(srl<kBits>(v), (char)(0xff >> kBits));
  }
  template <int kBits>
  BANTAM_QUANT_INLINE Ints sll(Ints v) {
    return _mm512_slli_epi32(v, kBits);
  }
  template <int kBits>
  BANTAM_QUANT_INLINE Ints sra(Ints v) {
    return _mm512_srai_epi32(v, kBits);
  }
  BANTAM_QUANT_INLINE Ints add(Ints a, Ints b) { return _mm512_add_epi32(a, b); }
  BANTAM_QUANT_INLINE Ints sub(Ints a, Ints b) { return _mm512_sub_epi32(a, b); }
  BANTAM_QUANT_INLINE Ints set1(int x) { return _mm512_set1_epi32(x); }

  BANTAM_QUANT_INLINE Floats set1(float x) { return _mm512_set1_ps(x); }
  BANTAM_QUANT_INLINE Floats half_low(Ints v) { return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(v)); }
  BANTAM_QUANT_INLINE Floats half_high(Ints v) { return half_low(_mm512_srli_epi32(v, 16)); }
  BANTAM_QUANT_INLINE Floats convert(Ints v) { return _mm512_cvtepi32_ps(v); }
  BANTAM_QUANT_INLINE Floats mul(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
  BANTAM_QUANT_INLINE Floats fma(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
  BANTAM_QUANT_INLINE Floats fnma(Floats a, Floats b, Floats c) {
    return _mm512_fnmadd_ps(a, b, c);
  }
  BANTAM_QUANT_INLINE void store(float* y, Floats v) { _mm512_storeu_ps(y, v); }
};

using Lanes512 = DotLanes<BareLanes512>;

inline void quantize_block_512(const float* x, BlockQ8A* q) {
  const __m512 low = _mm512_loadu_ps(x), high = _mm512_loadu_ps(x + 16);
  const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
  const uint32_t bits = _mm512_reduce_max_epu32(
      _mm512_max_epu32(_mm512_and_si512(_mm512_castps_si512(low), magnitude),
                       _mm512_and_si512(_mm512_castps_si512(high), magnitude)));
  float factor;
  if (!set_scale(bits, q, &factor)) return;
  const __m512 inverse = _mm512_set1_ps(factor);
  const __m512i a = _mm512_cvtps_epi32(_mm512_mul_ps(low, inverse));
  const __m512i b = _mm512_cvtps_epi32(_mm512_mul_ps(high, inverse));
  q->sum[0] = (int16_t)_mm512_reduce_add_epi32(a);
  q->sum[1] = (int16_t)_mm512_reduce_add_epi32(b);
  _mm_storeu_si128((__m128i*)(void*)q->q, _mm512_cvtepi32_epi8(a));
  _mm_storeu_si128((__m128i*)(void*)(q->q + 16), _mm512_cvtepi32_epi8(b));
}

template <int kOrder>
BANTAM_QUANT_INLINE __m512i swap_dwords(__m512i v) {
  const __m512 x = _mm512_castsi512_ps(v);
  return _mm512_castps_si512(_mm512_shuffle_ps(x, x, kOrder));
}

// Four blocks, whose maxima, quotients and sums share vectors; false where one needs more care.
inline bool quantize_four_512(const float* x, BlockQ8A* q) {
  const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
  __m512 v[8];
  __m512i most[4];
  for (int i = 0; i < 8; ++i) v[i] = _mm512_loadu_ps(x + 16 * i);
  for (int b = 0; b < 4; ++b) {
    most[b] = _mm512_max_epu32(_mm512_and_si512(_mm512_castps_si512(v[2 * b]), magnitude),
                               _mm512_and_si512(_mm512_castps_si512(v[2 * b + 1]), magnitude));
  }
  const __m512i first = _mm512_max_epu32(_mm512_unpacklo_epi32(most[0], most[1]),
                                         _mm512_unpackhi_epi32(most[0], most[1]));
  const __m512i last = _mm512_max_epu32(_mm512_unpacklo_epi32(most[2], most[3]),
                                        _mm512_unpackhi_epi32(most[2], most[3]));
  const __m512i quarters =
      _mm512_max_epu32(_mm512_unpacklo_epi64(first, last), _mm512_unpackhi_epi64(first, last));
  const __m256i halves =
      _mm256_max_epu32(_mm512_castsi512_si256(quarters), _mm512_extracti64x4_epi64(quarters, 1));
  const __m128i bits =
      _mm_max_epu32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
  const __m128 largest = _mm_castsi128_ps(bits);
  const __m128 plain =
      _mm_and_ps(_mm_cmpge_ps(largest, _mm_set1_ps(0x1p-100f)),
                 _mm_castsi128_ps(_mm_cmplt_epi32(bits, _mm_set1_epi32(0x7f800000))));
  if (_mm_movemask_ps(plain) != 15) return false;
  const __m128 d = _mm_div_ps(largest, _mm_set1_ps(127.0f));
  const __m512 inverse = _mm512_castps128_ps512(_mm_div_ps(_mm_set1_ps(127.0f), largest));
  __m256i levels[4];
  __m512i sums = _mm512_setzero_si512();
  for (int b = 0; b < 4; ++b) {
    const __m512 scale = _mm512_permutexvar_ps(_mm512_set1_epi32(b), inverse);
    levels[b] = _mm256_setr_m128i(
        _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(v[2 * b], scale))),
        _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(v[2 * b + 1], scale))));
  }
  // Sums of four bytes, then of all 16 of a half: two blocks to a vector.
  for (int pair = 0; pair < 2; ++pair) {
    const __m512i both =
        _mm512_inserti64x4(_mm512_castsi256_si512(levels[2 * pair]), levels[2 * pair + 1], 1);
    __m512i s = _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(1), both);
    s = _mm512_add_epi32(s, swap_dwords<0xb1>(s));
    s = _mm512_add_epi32(s, swap_dwords<0x4e>(s));
    sums = _mm512_mask_mov_epi32(sums, pair == 0 ? 0x1111 : 0x2222, s);
  }
  alignas(64) int32_t of_half[16];  // [block % 2 * 2 + half][block / 2]
  alignas(16) float scales[4];
  _mm512_store_si512(of_half, sums);
  _mm_store_ps(scales, d);
  for (int b = 0; b < 4; ++b) {
    q[b].d = scales[b];
    for (int h = 0; h < 2; ++h) q[b].sum[h] = (int16_t)of_half[4 * (b % 2 * 2 + h) + b / 2];
    _mm256_storeu_si256((__m256i*)(void*)q[b].q, levels[b]);
  }
  return true;
}

inline void quantize_512(const float* x, BlockQ8A* q, int64_t blocks) {
  int64_t b = 0;
  for (; b + 4 <= blocks; b += 4) {
    if (quantize_four_512(x + 32 * b, q + b)) continue;
    for (int i = 0; i < 4; ++i) quantize_block_512(x + 32 * (b + i), q + b + i);
  }
  for (; b < blocks; ++b) quantize_block_512(x + 32 * b, q + b);
}

}  // namespace
}  // namespace bantam::cpu::quant
