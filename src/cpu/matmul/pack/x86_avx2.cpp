#include <immintrin.h>
#include <string.h>

#include "cpu/matmul/matmul.h"

// Packing for the f32 layout (out[k][32]), from f32 or from bf16 that is widened on the way, and
// the rounding back to bf16.

namespace bantam::cpu::x86_avx2 {
namespace {

struct Floats {
  using Type = float;
  static __m256 load(const float* p) { return _mm256_loadu_ps(p); }
};
struct Bf16 {
  using Type = uint16_t;
  static __m256 load(const uint16_t* p) {
    const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
  }
};

// out[j * kPanel + i] = element j of rows[i], for j < limit.
void transpose_8x8(const __m256 (&rows)[8], float* out, int64_t limit) {
  __m256 pairs[8], quads[8];
  for (int i = 0; i < 8; i += 2) {
    pairs[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
    pairs[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    quads[i] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], 0x44);
    quads[i + 1] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], 0xee);
    quads[i + 2] = _mm256_shuffle_ps(pairs[i + 1], pairs[i + 3], 0x44);
    quads[i + 3] = _mm256_shuffle_ps(pairs[i + 1], pairs[i + 3], 0xee);
  }
  for (int j = 0; j < 8; ++j) {
    if (j >= limit) return;
    const int low = j % 4;
    const __m256 column = j < 4 ? _mm256_permute2f128_ps(quads[low], quads[low + 4], 0x20)
                                : _mm256_permute2f128_ps(quads[low], quads[low + 4], 0x31);
    _mm256_storeu_ps(out + j * kPanel, column);
  }
}

// `width` vectors that lie along k.
template <class S>
void pack_transposed(const typename S::Type* source, int64_t stride, int64_t width, int64_t k,
                     float* out) {
  using T = typename S::Type;
  for (int64_t j = 0; j < k; j += 8) {
    const int64_t depth = k - j < 8 ? k - j : 8;
    for (int64_t i = 0; i < kPanel; i += 8) {
      __m256 rows[8];
      for (int64_t r = 0; r < 8; ++r) {
        const T* from = source + (i + r) * stride + j;
        T edge[8] = {};
        if (i + r < width && depth < 8) memcpy(edge, from, static_cast<size_t>(depth) * sizeof(T));
        rows[r] = S::load(i + r < width && depth == 8 ? from : edge);
      }
      transpose_8x8(rows, out + j * kPanel + i, depth);
    }
  }
}

// `width` vectors side by side.
template <class S>
void pack_side_by_side(const typename S::Type* source, int64_t stride, int64_t width, int64_t k,
                       float* out) {
  using T = typename S::Type;
  for (int64_t j = 0; j < k; ++j, source += stride, out += kPanel) {
    const T* from = source;
    T edge[kPanel] = {};
    if (width < kPanel) {
      memcpy(edge, source, static_cast<size_t>(width) * sizeof(T));
      from = edge;
    }
    for (int64_t i = 0; i < kPanel; i += 8) _mm256_storeu_ps(out + i, S::load(from + i));
  }
}

template <class S>
void pack(const void* source, int64_t stride, bool k_contiguous, int64_t width, int64_t k,
          void* out) {
  const auto* from = static_cast<const typename S::Type*>(source);
  if (k_contiguous)
    pack_transposed<S>(from, stride, width, k, static_cast<float*>(out));
  else
    pack_side_by_side<S>(from, stride, width, k, static_cast<float*>(out));
}

__m128i rounded(__m256 value) {
  const __m256i bits = _mm256_castps_si256(value);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i bias = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff));
  const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
  const __m256 nan = _mm256_cmp_ps(value, value, _CMP_UNORD_Q);
  const __m256i chosen =
      _mm256_blendv_epi8(_mm256_add_epi32(bits, bias), quiet, _mm256_castps_si256(nan));
  const __m256i halves = _mm256_srli_epi32(chosen, 16);
  return _mm_packus_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
}

}  // namespace

void pack_f32(const void* source, int64_t stride, bool k_contiguous, int64_t width, int64_t k,
              void* out) {
  pack<Floats>(source, stride, k_contiguous, width, k, out);
}

void pack_widened(const void* source, int64_t stride, bool k_contiguous, int64_t width, int64_t k,
                  void* out) {
  pack<Bf16>(source, stride, k_contiguous, width, k, out);
}

void to_bf16(const float* source, int64_t ld_source, uint16_t* destination, int64_t ld_destination,
             int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; ++r, source += ld_source, destination += ld_destination) {
    int64_t i = 0;
    for (; i + 8 <= columns; i += 8)
      _mm_storeu_si128(reinterpret_cast<__m128i*>(destination + i),
                       rounded(_mm256_loadu_ps(source + i)));
    if (i == columns) continue;
    float edge[8] = {};
    uint16_t halves[8];
    memcpy(edge, source + i, static_cast<size_t>(columns - i) * sizeof(float));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(halves), rounded(_mm256_loadu_ps(edge)));
    memcpy(destination + i, halves, static_cast<size_t>(columns - i) * sizeof(uint16_t));
  }
}

}  // namespace bantam::cpu::x86_avx2
