#pragma once

// Stands in for the compiler's header when kernels for AVX-VNNI, AVX-512 and AMX are built for
// processors that have none of them (the preset `simulated`): the intrinsics become functions of
// SIMDe, or of this file where Debian 12's SIMDe has none. Slow, but the kernels' own code is what
// runs.

#include_next <immintrin.h>

#include <math.h>
#include <stdint.h>
#include <string.h>

#define SIMDE_ENABLE_NATIVE_ALIASES
#define SIMDE_NO_INLINE
#include <simde/x86/avx512.h>

#include "../tiles.h"

namespace bantam::emulation {
namespace {

template <typename To, typename From>
To bits_as(const From& from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  memcpy(&to, &from, sizeof to);
  return to;
}

template <typename T, int kCount>
struct Lanes {
  T of[kCount];
};

// Applies f to every lane; To and From are vectors of T and U.
template <typename To, typename T, typename U, int kCount, typename From, typename F>
To each(const From& from, F f) {
  const auto in = bits_as<Lanes<U, kCount>>(from);
  Lanes<T, kCount> out;
  for (int i = 0; i < kCount; ++i) out.of[i] = static_cast<T>(f(in.of[i]));
  return bits_as<To>(out);
}

// The lanes of two vectors that an immediate selects, four 128-bit lanes to each.
template <typename V>
V shuffle_quarters(const V& a, const V& b, int which) {
  const auto x = bits_as<Lanes<Lanes<uint32_t, 4>, 4>>(a),
             y = bits_as<Lanes<Lanes<uint32_t, 4>, 4>>(b);
  Lanes<Lanes<uint32_t, 4>, 4> out;
  for (int i = 0; i < 4; ++i) out.of[i] = (i < 2 ? x : y).of[which >> (2 * i) & 3];
  return bits_as<V>(out);
}

template <typename V, typename T, int kCount>
V load_some(uint64_t mask, const void* from) {
  Lanes<T, kCount> out = {};
  for (int i = 0; i < kCount; ++i)
    if (mask >> i & 1) memcpy(&out.of[i], static_cast<const T*>(from) + i, sizeof(T));
  return bits_as<V>(out);
}

template <typename T, int kCount, typename V>
void store_some(void* to, uint64_t mask, const V& from) {
  const auto in = bits_as<Lanes<T, kCount>>(from);
  for (int i = 0; i < kCount; ++i)
    if (mask >> i & 1) memcpy(static_cast<T*>(to) + i, &in.of[i], sizeof(T));
}

// In the order of the compilers' own trees: the halves meet first.
template <typename T, typename V, typename F>
T reduce(const V& from, F f) {
  auto in = bits_as<Lanes<T, 16>>(from);
  for (int half = 8; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) in.of[i] = f(in.of[i], in.of[i + half]);
  return in.of[0];
}

template <typename T, int kCount, typename V, typename Index>
V gather(const Index& index, const void* base, int scale) {
  const auto at = bits_as<Lanes<int32_t, kCount>>(index);
  Lanes<T, kCount> out;
  for (int i = 0; i < kCount; ++i)
    memcpy(&out.of[i], static_cast<const char*>(base) + int64_t{at.of[i]} * scale, sizeof(T));
  return bits_as<V>(out);
}

// Two vectors of floats to one of bf16, the first in its upper half.
inline __m512i two_to_bf16(const __m512& high, const __m512& low) {
  const auto x = bits_as<Lanes<float, 16>>(high), y = bits_as<Lanes<float, 16>>(low);
  Lanes<uint16_t, 32> out;
  for (int i = 0; i < 16; ++i) {
    out.of[i] = to_bf16(y.of[i]);
    out.of[16 + i] = to_bf16(x.of[i]);
  }
  return bits_as<__m512i>(out);
}

inline __m512 add_pairs(const __m512& sum, const __m512i& a, const __m512i& b) {
  auto out = bits_as<Lanes<float, 16>>(sum);
  const auto x = bits_as<Lanes<uint16_t, 32>>(a), y = bits_as<Lanes<uint16_t, 32>>(b);
  for (int i = 0; i < 16; ++i) {
    out.of[i] = multiply_add(x.of[2 * i + 1], y.of[2 * i + 1], out.of[i]);
    out.of[i] = multiply_add(x.of[2 * i], y.of[2 * i], out.of[i]);
  }
  return bits_as<__m512>(out);
}

inline void must(bool fine) {
  if (!fine) __builtin_trap();
}
inline bool fit(const Tile& sums, const Tile& a, const Tile& b) {
  return sums.configured() && a.configured() && b.configured() && sums.rows == a.rows &&
         sums.row_bytes == b.row_bytes && a.row_bytes == 4 * b.rows;
}
inline Tile& tile(int number) {
  must(tiles_configured && tiles[number].configured());
  return tiles[number];
}
inline void tile_load(int number, const void* base, int64_t stride) {
  load(tile(number), reinterpret_cast<uint64_t>(base), static_cast<uint64_t>(stride));
}
inline void tile_store(int number, void* base, int64_t stride) {
  store(tile(number), reinterpret_cast<uint64_t>(base), static_cast<uint64_t>(stride));
}
inline void tile_bf16(int sums, int a, int b) {
  must(fit(tiles[sums], tiles[a], tiles[b]));
  multiply_bf16(tiles[sums], tiles[a], tiles[b]);
}
inline void tile_bytes(int sums, int a, int b) {
  must(fit(tiles[sums], tiles[a], tiles[b]));
  multiply_bytes<int8_t, uint8_t>(tiles[sums], tiles[a], tiles[b]);
}
inline void tile_signed_bytes(int sums, int a, int b) {
  must(fit(tiles[sums], tiles[a], tiles[b]));
  multiply_bytes<int8_t, int8_t>(tiles[sums], tiles[a], tiles[b]);
}
inline void tile_configure(const void* shapes) {
  must(load_configuration(static_cast<const uint8_t*>(shapes)));
}
inline void tile_release() {
  constexpr uint8_t kNone[64] = {};
  load_configuration(kNone);
}

}  // namespace
}  // namespace bantam::emulation

#define BANTAM_EACH ::bantam::emulation::each
#define BANTAM_SAME [](auto x) { return x; }

#undef _mm512_cvtepi32_ps
#undef _mm512_cvtepi8_epi32
#undef _mm512_cvtepu8_epi32
#undef _mm512_cvtepu16_epi32
#undef _mm512_cvtps_ph
#undef _mm512_extractf32x8_ps
#undef _mm512_i32gather_epi32
#undef _mm512_i32gather_epi64
#undef _mm512_permute_ps
#undef _mm512_shuffle_f32x4
#undef _mm512_srai_epi32
#undef _tile_loadd
#undef _tile_stream_loadd
#undef _tile_stored
#undef _tile_zero
#undef _tile_dpbf16ps
#undef _tile_dpbssd
#undef _tile_dpbsud

#define _mm512_cvtepi32_ps(a) BANTAM_EACH<__m512, float, int32_t, 16>((a), BANTAM_SAME)
#define _mm512_cvtepi32_epi16(a) BANTAM_EACH<__m256i, int16_t, int32_t, 16>((a), BANTAM_SAME)
#define _mm512_cvtepi32_epi8(a) BANTAM_EACH<__m128i, int8_t, int32_t, 16>((a), BANTAM_SAME)
#define _mm512_cvtepi8_epi32(a) BANTAM_EACH<__m512i, int32_t, int8_t, 16>((a), BANTAM_SAME)
#define _mm512_cvtepu8_epi32(a) BANTAM_EACH<__m512i, int32_t, uint8_t, 16>((a), BANTAM_SAME)
#define _mm512_cvtepu16_epi32(a) BANTAM_EACH<__m512i, int32_t, uint16_t, 16>((a), BANTAM_SAME)
#define _mm512_cvtps_epi32(a) \
  BANTAM_EACH<__m512i, int32_t, float, 16>((a), [](float x) { return rintf(x); })
#define _mm512_cvtph_ps(a) \
  BANTAM_EACH<__m512, float, uint16_t, 16>((a), [](uint16_t x) { return _cvtsh_ss(x); })
#define _mm512_cvtps_ph(a, rounding) \
  BANTAM_EACH<__m256i, uint16_t, float, 16>((a), [](float x) { return _cvtss_sh(x, 0); })
#define _mm512_srai_epi32(a, n) \
  BANTAM_EACH<__m512i, int32_t, int32_t, 16>((a), [&](int32_t x) { return x >> (n); })
#define _mm512_cvtneps_pbh(a) \
  BANTAM_EACH<__m256i, uint16_t, float, 16>((a), ::bantam::emulation::to_bf16)
#define _mm512_cvtne2ps_pbh(a, b) ::bantam::emulation::two_to_bf16((a), (b))
#define _mm512_dpbf16_ps(sum, a, b) \
  ::bantam::emulation::add_pairs((sum), (__m512i)(a), (__m512i)(b))

#define _mm512_permute_ps(a, which) _mm512_shuffle_ps((a), (a), (which))
#define _mm512_shuffle_f32x4(a, b, which) \
  ::bantam::emulation::shuffle_quarters<__m512>((a), (b), (which))
#define _mm512_extractf32x8_ps(a, which) \
  ::bantam::emulation::bits_as<::bantam::emulation::Lanes<__m256, 2>>(__m512(a)).of[which]

#define _mm512_i32gather_epi32(index, base, scale) \
  ::bantam::emulation::gather<int32_t, 16, __m512i>((index), (base), (scale))
#define _mm512_i32gather_epi64(index, base, scale) \
  ::bantam::emulation::gather<int64_t, 8, __m512i>((index), (base), (scale))

#define BANTAM_LOAD_SOME(V, T, n, mask, p) ::bantam::emulation::load_some<V, T, n>((mask), (p))
#define BANTAM_STORE_SOME(T, n, p, mask, a) ::bantam::emulation::store_some<T, n>((p), (mask), (a))
#define _mm512_maskz_loadu_ps(mask, p) BANTAM_LOAD_SOME(__m512, float, 16, mask, p)
#define _mm512_maskz_loadu_epi16(mask, p) BANTAM_LOAD_SOME(__m512i, uint16_t, 32, mask, p)
#define _mm256_maskz_loadu_epi16(mask, p) BANTAM_LOAD_SOME(__m256i, uint16_t, 16, mask, p)
#define _mm512_mask_storeu_ps(p, mask, a) BANTAM_STORE_SOME(float, 16, p, mask, a)
#define _mm512_mask_storeu_epi16(p, mask, a) BANTAM_STORE_SOME(uint16_t, 32, p, mask, a)
#define _mm256_mask_storeu_epi16(p, mask, a) BANTAM_STORE_SOME(uint16_t, 16, p, mask, a)
#define _mm_mask_storeu_ps(p, mask, a) BANTAM_STORE_SOME(float, 4, p, mask, a)

#define _mm512_reduce_add_epi32(a) \
  static_cast<int>(                \
      ::bantam::emulation::reduce<uint32_t>((a), [](uint32_t x, uint32_t y) { return x + y; }))
#define _mm512_reduce_max_epu32(a) \
  ::bantam::emulation::reduce<uint32_t>((a), [](uint32_t x, uint32_t y) { return x > y ? x : y; })
#define _mm512_reduce_add_ps(a) \
  ::bantam::emulation::reduce<float>((a), [](float x, float y) { return x + y; })
#define _mm512_reduce_max_ps(a) \
  ::bantam::emulation::reduce<float>((a), [](float x, float y) { return x > y ? x : y; })

#undef _mm256_dpbusd_avx_epi32
#define _mm256_dpbusd_avx_epi32 simde_mm256_dpbusd_epi32

#define _tile_loadconfig(shapes) ::bantam::emulation::tile_configure(shapes)
#define _tile_release() ::bantam::emulation::tile_release()
#define _tile_zero(t) ::bantam::emulation::clear(::bantam::emulation::tile(t))
#define _tile_loadd(t, base, stride) ::bantam::emulation::tile_load((t), (base), (stride))
#define _tile_stream_loadd(t, base, stride) ::bantam::emulation::tile_load((t), (base), (stride))
#define _tile_stored(t, base, stride) ::bantam::emulation::tile_store((t), (base), (stride))
#define _tile_dpbf16ps(sums, a, b) ::bantam::emulation::tile_bf16((sums), (a), (b))
#define _tile_dpbssd(sums, a, b) ::bantam::emulation::tile_signed_bytes((sums), (a), (b))
#define _tile_dpbsud(sums, a, b) ::bantam::emulation::tile_bytes((sums), (a), (b))

// Kernels ask for more inlining than such functions bear.
#define always_inline unused
