#include "cpu/matmul/lanes_512.h"
#include "cpu/matmul/matmul.h"

// Packing for the products: transposes are built from 128-bit loads into the four lanes of a
// vector, which leaves only a 4 x 4 transpose inside each lane to the shuffle unit.

namespace bantam::cpu::x86_avx512 {
namespace {

// 16 x 16 four-byte elements: out[j * 32 + i] = row i, element j, for j < limit.
void transpose_16x16(const char* source, int64_t stride, uint32_t* out, int64_t limit) {
  for (int64_t quad = 0; quad < 4; ++quad) {
    __m512i rows[4], columns[4];
    for (int64_t i = 0; i < 4; ++i)
      rows[i] = load_lanes(source + i * stride + quad * 16, 4 * stride);
    transpose_4x4(rows, columns);
    for (int64_t j = 0; j < 4; ++j)
      if (quad * 4 + j < limit) _mm512_storeu_si512(out + (quad * 4 + j) * kPanel, columns[j]);
  }
}

__mmask32 first(int64_t n) {
  return n >= 32 ? ~__mmask32{0} : n <= 0 ? 0 : static_cast<__mmask32>((1u << n) - 1);
}

// Half a strip whose vectors lie along k. T is what one packed four-byte element is made of.
void transpose_strip(const char* source, int64_t stride, int64_t width, int64_t bytes,
                     uint32_t* out, int64_t padded_rows) {
  for (int64_t i = 0; i < kPanel; i += 16) {
    for (int64_t j = 0; j < padded_rows; j += 16) {
      const char* from = source + i * stride + j * 4;
      uint32_t* to = out + j * kPanel + i;
      if (width - i >= 16 && bytes - j * 4 >= 64) {
        transpose_16x16(from, stride, to, padded_rows - j);
        continue;
      }
      alignas(64) char edge[16 * 64] = {};
      const int64_t rest = bytes - j * 4 < 64 ? bytes - j * 4 : 64;
      for (int64_t r = 0; r < 16 && i + r < width; ++r)
        memcpy(edge + r * 64, from + r * stride, static_cast<size_t>(rest));
      transpose_16x16(edge, 64, to, padded_rows - j);
    }
  }
}

__m512 widen(__m256i bits) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}

// 32 values of k of `width` vectors that lie side by side; out[32][32].
void transpose_pairs(const uint16_t* source, int64_t stride, uint16_t* out) {
  const int64_t row = stride * 2;  // bytes
  for (int64_t i = 0; i < kPanel; i += 8) {
    const char* from = reinterpret_cast<const char*>(source + i);
    __m512i low[4], high[4], rows[4];
    for (int64_t q = 0; q < 4; ++q) {
      const __m512i even = load_lanes(from + 2 * q * row, 8 * row);
      const __m512i odd = load_lanes(from + (2 * q + 1) * row, 8 * row);
      low[q] = _mm512_unpacklo_epi16(even, odd);
      high[q] = _mm512_unpackhi_epi16(even, odd);
    }
    transpose_4x4(low, rows);
    for (int64_t j = 0; j < 4; ++j) _mm512_storeu_si512(out + (i + j) * kPairStep, rows[j]);
    transpose_4x4(high, rows);
    for (int64_t j = 0; j < 4; ++j) _mm512_storeu_si512(out + (i + 4 + j) * kPairStep, rows[j]);
  }
}

}  // namespace

void pack_f32(const void* source, int64_t stride, bool k_contiguous, int64_t width, int64_t k,
              void* out) {
  const auto* from = static_cast<const float*>(source);
  auto* to = static_cast<float*>(out);
  if (k_contiguous) {
    transpose_strip(static_cast<const char*>(source), stride * 4, width, k * 4,
                    static_cast<uint32_t*>(out), k);
    return;
  }
  const __mmask32 mask = first(width);
  const auto left = static_cast<__mmask16>(mask), right = static_cast<__mmask16>(mask >> 16);
  for (int64_t j = 0; j < k; ++j) {
    _mm512_storeu_ps(to + j * kPanel, _mm512_maskz_loadu_ps(left, from + j * stride));
    _mm512_storeu_ps(to + j * kPanel + 16, _mm512_maskz_loadu_ps(right, from + j * stride + 16));
  }
}

void pack_widened(const void* source, int64_t stride, bool k_contiguous, int64_t width, int64_t k,
                  void* out) {
  const auto* from = static_cast<const uint16_t*>(source);
  auto* to = static_cast<float*>(out);
  if (!k_contiguous) {
    const __mmask32 mask = first(width);
    for (int64_t j = 0; j < k; ++j) {
      const __m512i row = _mm512_maskz_loadu_epi16(mask, from + j * stride);
      _mm512_storeu_ps(to + j * kPanel, widen(_mm512_castsi512_si256(row)));
      _mm512_storeu_ps(to + j * kPanel + 16, widen(_mm512_extracti64x4_epi64(row, 1)));
    }
    return;
  }
  for (int64_t i = 0; i < kPanel; i += 16) {
    for (int64_t j = 0; j < k; j += 16) {
      alignas(64) float block[16][16] = {};
      const auto mask = static_cast<__mmask16>(first(k - j));
      for (int64_t r = 0; r < 16 && i + r < width; ++r)
        _mm512_store_ps(block[r],
                        widen(_mm256_maskz_loadu_epi16(mask, from + (i + r) * stride + j)));
      transpose_16x16(reinterpret_cast<const char*>(block), 64,
                      reinterpret_cast<uint32_t*>(to + j * kPanel + i), k - j);
    }
  }
}

void pack_pairs_a(const void* source, int64_t stride, bool k_contiguous, int64_t width, int64_t k,
                  void* out) {
  const auto* from = static_cast<const uint16_t*>(source);
  auto* to = static_cast<uint16_t*>(out);
  for (int64_t j = 0; j < k; j += kPairStep, to += kPairStep * kPanel) {
    if (k_contiguous && width == kPanel && k - j >= kPairStep) {
      for (int64_t i = 0; i < kPanel; ++i)
        _mm512_storeu_si512(to + i * kPairStep, _mm512_loadu_si512(from + i * stride + j));
    } else if (k_contiguous) {
      const __mmask32 mask = first(k - j);
      for (int64_t i = 0; i < kPanel; ++i)
        _mm512_storeu_si512(to + i * kPairStep,
                            i < width ? _mm512_maskz_loadu_epi16(mask, from + i * stride + j)
                                      : _mm512_setzero_si512());
    } else if (width == kPanel && k - j >= kPairStep) {
      transpose_pairs(from + j * stride, stride, to);
    } else {
      alignas(64) uint16_t edge[kPairStep * kPanel] = {};
      for (int64_t r = 0; r < kPairStep && j + r < k; ++r)
        memcpy(edge + r * kPanel, from + (j + r) * stride, static_cast<size_t>(width) * 2);
      transpose_pairs(edge, kPanel, to);
    }
  }
}

void pack_pairs_b(const void* source, int64_t stride, bool k_contiguous, int64_t width, int64_t k,
                  void* out) {
  const auto* from = static_cast<const uint16_t*>(source);
  auto* to = static_cast<uint16_t*>(out);
  const int64_t padded = (k + kPairStep - 1) / kPairStep * kPairStep;
  if (k_contiguous) {
    transpose_strip(static_cast<const char*>(source), stride * 2, width, k * 2,
                    static_cast<uint32_t*>(out), padded / 2);
    return;
  }
  const __mmask32 mask = first(width);
  const __m512i spread = _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7);
  for (int64_t j = 0; j < padded; j += 2, to += 2 * kPanel) {
    const __m512i even = _mm512_permutexvar_epi64(
        spread, _mm512_maskz_loadu_epi16(j < k ? mask : 0, from + j * stride));
    const __m512i odd = _mm512_permutexvar_epi64(
        spread, _mm512_maskz_loadu_epi16(j + 1 < k ? mask : 0, from + (j + 1) * stride));
    _mm512_storeu_si512(to, _mm512_unpacklo_epi16(even, odd));
    _mm512_storeu_si512(to + kPanel, _mm512_unpackhi_epi16(even, odd));
  }
}

}  // namespace bantam::cpu::x86_avx512
