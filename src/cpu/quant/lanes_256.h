#pragma once

// Eight rows per vector of 256 bits. Included by the kernel files for AVX2 and AVX-VNNI.

#include <immintrin.h>
#include <stdint.h>

#include "cpu/quant/formats.h"

namespace bantam::cpu::quant {
namespace {

// Eight rows per vector.
struct Lanes256 {
  using Ints = __m256i;
  using Floats = __m256;
  static constexpr int kRows = 8;
  static constexpr int kSignedOffset = 0;

  // One load a row: gathering is slower than that on many processors.
  BANTAM_QUANT_INLINE Ints dword(const uint8_t* p, int64_t stride) {
    const auto at = [&](int r) __attribute__((always_inline)) {
      int v;
      __builtin_memcpy(&v, p + r * stride, 4);
      return v;
    };
    return _mm256_setr_epi32(at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7));
  }

  // Rows r and r + 4: one per 128-bit lane.
  BANTAM_QUANT_INLINE __m256i two_rows(const uint8_t* p, int64_t stride) {
    return _mm256_loadu2_m128i((const __m128i*)(const void*)(p + 4 * stride),
                               (const __m128i*)(const void*)p);
  }

  // From rows r and r + 4 side by side, for r = 0 .. 3, to columns of four bytes.
  BANTAM_QUANT_INLINE void transpose(__m256i a, __m256i b, __m256i c, __m256i d, Ints* out) {
    const __m256i ab_low = _mm256_unpacklo_epi32(a, b), ab_high = _mm256_unpackhi_epi32(a, b);
    const __m256i cd_low = _mm256_unpacklo_epi32(c, d), cd_high = _mm256_unpackhi_epi32(c, d);
    out[0] = _mm256_unpacklo_epi64(ab_low, cd_low);
    out[1] = _mm256_unpackhi_epi64(ab_low, cd_low);
    out[2] = _mm256_unpacklo_epi64(ab_high, cd_high);
    out[3] = _mm256_unpackhi_epi64(ab_high, cd_high);
  }
  template <int kBytes>
  BANTAM_QUANT_INLINE void columns(const uint8_t* p, int64_t stride, Ints* out) {
    for (int half = 0; half < kBytes / 16; ++half, p += 16) {
      transpose(two_rows(p, stride), two_rows(p + stride, stride), two_rows(p + 2 * stride, stride),
                two_rows(p + 3 * stride, stride), out + 4 * half);
    }
  }
  BANTAM_QUANT_INLINE Ints load(const uint8_t* p) {
    return _mm256_loadu_si256((const __m256i*)(const void*)p);
  }
  BANTAM_QUANT_INLINE Floats load_halves(const uint8_t* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)(const void*)p));
  }
  template <class F>
  BANTAM_QUANT_INLINE Floats floats(F&& f) {
    return _mm256_setr_ps(f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7));
  }

  BANTAM_QUANT_INLINE __m256i four(const int8_t* x) {
    int32_t bytes;
    __builtin_memcpy(&bytes, x, 4);
    return _mm256_set1_epi32(bytes);
  }
  BANTAM_QUANT_INLINE __m256i widen(__m256i pairs) {
    return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
  }

  // Products of two bytes are added in 16 bits, as many as fit before they are widened.
  template <int kMax, int kCount>
  BANTAM_QUANT_INLINE Ints dot(const Ints* w, const int8_t* x) {
    constexpr int kFit = 32767 / (2 * 127 * kMax);
    constexpr int kRun = kFit < kCount ? kFit : kCount;
    static_assert(kCount % kRun == 0);
    __m256i total = _mm256_setzero_si256();
    for (int j = 0; j < kCount; j += kRun) {
      __m256i pairs = _mm256_maddubs_epi16(w[j], four(x + 4 * j));
      for (int i = j + 1; i < j + kRun; ++i) {
        pairs = _mm256_add_epi16(pairs, _mm256_maddubs_epi16(w[i], four(x + 4 * i)));
      }
      total = _mm256_add_epi32(total, widen(pairs));
    }
    return total;
  }

  BANTAM_QUANT_INLINE void prepare_signed(Ints*) {}
  // |w| times x with the sign of w: 2 * 128 * 127 fits 16 bits.
  BANTAM_QUANT_INLINE Ints dot_signed(const Ints* w, const int8_t* x) {
    __m256i total = _mm256_setzero_si256();
    for (int j = 0; j < 8; ++j) {
      const __m256i pairs =
          _mm256_maddubs_epi16(_mm256_abs_epi8(w[j]), _mm256_sign_epi8(four(x + 4 * j), w[j]));
      total = _mm256_add_epi32(total, widen(pairs));
    }
    return total;
  }

  BANTAM_QUANT_INLINE Ints and_bytes(Ints v, char mask) {
    return _mm256_and_si256(v, _mm256_set1_epi8(mask));
  }
  BANTAM_QUANT_INLINE Ints and_ints(Ints v, int mask) {
    return _mm256_and_si256(v, _mm256_set1_epi32(mask));
  }
  BANTAM_QUANT_INLINE Ints either(Ints a, Ints b) { return _mm256_or_si256(a, b); }
  BANTAM_QUANT_INLINE Ints differ(Ints a, Ints b) { return _mm256_xor_si256(a, b); }
  BANTAM_QUANT_INLINE Ints bytes(char x) { return _mm256_set1_epi8(x); }
  BANTAM_QUANT_INLINE Ints add_bytes(Ints a, Ints b) { return _mm256_add_epi8(a, b); }
  BANTAM_QUANT_INLINE Ints sub_bytes(Ints a, Ints b) { return _mm256_sub_epi8(a, b); }
  BANTAM_QUANT_INLINE Ints at_least(Ints v, int x) {
    return _mm256_cmpeq_epi8(_mm256_max_epu8(v, _mm256_set1_epi8((char)x)), v);
  }
  BANTAM_QUANT_INLINE Ints bits(Ints v, int first) {
    const __m256i lanes = _mm256_setr_epi32(0, 0x04040404, 0x08080808, 0x0c0c0c0c,  //
                                            0, 0x04040404, 0x08080808, 0x0c0c0c0c);
    const __m256i byte = _mm256_add_epi8(lanes, _mm256_set1_epi8((char)(first / 8)));
    const __m256i mask = _mm256_set1_epi32((int)(0x08040201u << (first % 8)));
    return _mm256_cmpeq_epi8(_mm256_and_si256(_mm256_shuffle_epi8(v, byte), mask), mask);
  }
  BANTAM_QUANT_INLINE Ints quartet(const uint32_t* table, Ints index) {
    alignas(32) uint32_t i[8];
    _mm256_store_si256((__m256i*)(void*)i, index);
    return _mm256_setr_epi32((int)table[i[0]], (int)table[i[1]], (int)table[i[2]], (int)table[i[3]],
                             (int)table[i[4]], (int)table[i[5]], (int)table[i[6]],
                             (int)table[i[7]]);
  }
  BANTAM_QUANT_INLINE void octet(const uint64_t* table, Ints index, Ints* out) {
    alignas(32) uint32_t i[8];
    _mm256_store_si256((__m256i*)(void*)i, index);
    const auto four = [&](int r) __attribute__((always_inline)) {  // rows r, r + 1, r + 4, r + 5
      return _mm256_castsi256_ps(_mm256_setr_epi64x((int64_t)table[i[r]], (int64_t)table[i[r + 1]],
                                                    (int64_t)table[i[r + 4]],
                                                    (int64_t)table[i[r + 5]]));
    };
    const __m256 a = four(0), b = four(2);
    out[0] = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0x88));
    out[1] = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0xdd));
  }
  BANTAM_QUANT_INLINE Ints lookup(const int8_t* values, Ints v) {
    const __m128i table = _mm_loadu_si128((const __m128i*)(const void*)values);
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), v);
  }
  template <int kBits>
  BANTAM_QUANT_INLINE Ints srl(Ints v) {
    return _mm256_srli_epi32(v, kBits);
  }
  template <int kBits>
  BANTAM_QUANT_INLINE Ints srl_bytes(Ints v) {
    return and_bytes(srl<kBits>(v), (char)(0xff >> kBits));
  }
  template <int kBits>
  BANTAM_QUANT_INLINE Ints sll(Ints v) {
    return _mm256_slli_epi32(v, kBits);
  }
  template <int kBits>
  BANTAM_QUANT_INLINE Ints sra(Ints v) {
    return _mm256_srai_epi32(v, kBits);
  }
  BANTAM_QUANT_INLINE Ints sub(Ints a, Ints b) { return _mm256_sub_epi32(a, b); }
  BANTAM_QUANT_INLINE Ints set1(int x) { return _mm256_set1_epi32(x); }

  BANTAM_QUANT_INLINE Floats set1(float x) { return _mm256_set1_ps(x); }
  BANTAM_QUANT_INLINE Floats half_high(Ints v) {
    const __m256i words = _mm256_srli_epi32(v, 16);
    const __m256i packed = _mm256_packus_epi32(words, words);
    return _mm256_cvtph_ps(_mm256_castsi256_si128(_mm256_permute4x64_epi64(packed, 0x08)));
  }
  BANTAM_QUANT_INLINE Floats half_low(Ints v) { return half_high(_mm256_slli_epi32(v, 16)); }
  BANTAM_QUANT_INLINE Floats convert(Ints v) { return _mm256_cvtepi32_ps(v); }
  BANTAM_QUANT_INLINE Floats mul(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
  BANTAM_QUANT_INLINE Floats fma(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
  BANTAM_QUANT_INLINE Floats fnma(Floats a, Floats b, Floats c) {
    return _mm256_fnmadd_ps(a, b, c);
  }
  BANTAM_QUANT_INLINE void store(float* y, Floats v) { _mm256_storeu_ps(y, v); }
};

inline uint32_t largest_bits(const float* x) {
  __m256i most = _mm256_setzero_si256();
  for (int i = 0; i < 32; i += 8) {
    const __m256i bits = _mm256_castps_si256(_mm256_loadu_ps(x + i));
    most = _mm256_max_epu32(most, _mm256_and_si256(bits, _mm256_set1_epi32(0x7fffffff)));
  }
  __m128i four = _mm_max_epu32(_mm256_castsi256_si128(most), _mm256_extracti128_si256(most, 1));
  four = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0x4e));
  four = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0xb1));
  return (uint32_t)_mm_cvtsi128_si32(four);
}

inline int16_t sum_of_bytes(__m128i q) {
  const __m128i offset = _mm_xor_si128(q, _mm_set1_epi8(-128));  // sad adds unsigned bytes
  const __m128i sums = _mm_sad_epu8(offset, _mm_setzero_si128());
  return (int16_t)(_mm_cvtsi128_si32(sums) + _mm_extract_epi16(sums, 4) - 16 * 128);
}

inline void quantize_256(const float* x, BlockQ8A* q, int64_t blocks) {
  for (int64_t b = 0; b < blocks; ++b, x += 32, ++q) {
    const uint32_t bits = largest_bits(x);
    float factor;
    if (!set_scale(bits, q, &factor)) continue;
    const __m256 inverse = _mm256_set1_ps(factor);
    for (int h = 0; h < 2; ++h) {
      const __m256 low = _mm256_loadu_ps(x + 16 * h), high = _mm256_loadu_ps(x + 16 * h + 8);
      const __m256i words = _mm256_permute4x64_epi64(
          _mm256_packs_epi32(_mm256_cvtps_epi32(_mm256_mul_ps(low, inverse)),
                             _mm256_cvtps_epi32(_mm256_mul_ps(high, inverse))),
          0xd8);
      const __m128i bytes =
          _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
      _mm_storeu_si128((__m128i*)(void*)(q->q + 16 * h), bytes);
      q->sum[h] = sum_of_bytes(bytes);
    }
  }
}

}  // namespace
}  // namespace bantam::cpu::quant
