#pragma once

// What products with vectors of 512 bits have in common. Included by the files for them.

// GCC 12 takes the undefined pass-through operands of its own intrinsics for a mistake.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "cpu/matmul/matmul.h"

namespace bantam::cpu {
namespace {

// Sums of the lanes of two vectors to eight, side by side, by the canonical tree.
[[maybe_unused]] inline __m512 halve(__m512 a, __m512 b) {
  return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
}

[[maybe_unused]] inline __m128 reduce4(const __m512* v) {
  const __m512 ab = halve(v[0], v[1]), cd = halve(v[2], v[3]);
  __m512 s = _mm512_add_ps(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xdd));
  s = _mm512_add_ps(s, _mm512_shuffle_ps(s, s, 0x4e));
  s = _mm512_add_ps(s, _mm512_shuffle_ps(s, s, 0xb1));
  const __m512i firsts = _mm512_setr_epi32(0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12);
  return _mm512_castps512_ps128(_mm512_permutexvar_ps(firsts, s));
}

// The sums of the lanes of R x C vectors, C a multiple of 4, of which columns < valid are stored.
template <int R, int C>
void store_sums(const __m512 (&sum)[R][C], float* y, int64_t ldy, int64_t valid) {
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < C; c += 4) {
      const __m128 four = reduce4(&sum[r][c]);
      if (c >= valid) break;
      const auto mask = static_cast<__mmask8>(valid - c >= 4 ? 15u : (1u << (valid - c)) - 1);
      _mm_mask_storeu_ps(y + r * ldy + c, mask, four);
    }
  }
}

#if defined(__AVX512BF16__) || defined(_mm512_dpbf16_ps)
// sum += a * b over pairs.
[[maybe_unused]] inline void add_pairs(__m512& sum, __m512i a, __m512i b) {
#if defined(__clang__)  // version 16 crashes on a broadcast of __m512bh
  __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
#else
  sum = _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
#endif
}
#endif

// Lane L is the 16 bytes at p + L * stride.
[[maybe_unused]] inline __m512i load_lanes(const char* p, int64_t stride) {
  const auto at = [&](int64_t lane) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + lane * stride));
  };
  __m512i v = _mm512_castsi128_si512(at(0));
  v = _mm512_inserti32x4(v, at(1), 1);
  v = _mm512_inserti32x4(v, at(2), 2);
  return _mm512_inserti32x4(v, at(3), 3);
}

// Element j of out[i] becomes element i of row j, within each lane.
[[maybe_unused]] inline void transpose_4x4(const __m512i* rows, __m512i* out) {
  const __m512i a = _mm512_unpacklo_epi32(rows[0], rows[1]);
  const __m512i b = _mm512_unpacklo_epi32(rows[2], rows[3]);
  const __m512i c = _mm512_unpackhi_epi32(rows[0], rows[1]);
  const __m512i d = _mm512_unpackhi_epi32(rows[2], rows[3]);
  out[0] = _mm512_unpacklo_epi64(a, b);
  out[1] = _mm512_unpackhi_epi64(a, b);
  out[2] = _mm512_unpacklo_epi64(c, d);
  out[3] = _mm512_unpackhi_epi64(c, d);
}

}  // namespace
}  // namespace bantam::cpu
