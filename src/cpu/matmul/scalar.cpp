#include <math.h>
#include <string.h>

#include "cpu/matmul/matmul.h"

namespace bantam::cpu::scalar {
namespace {

float widen(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  memcpy(&value, &wide, sizeof value);
  return value;
}

float from_f16(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000u) << 16;
  const uint32_t exponent = (h >> 10) & 31u, fraction = h & 1023u;
  if (exponent == 0) {
    const float value = static_cast<float>(fraction) * 0x1p-24f;
    return sign != 0 ? -value : value;
  }
  const uint32_t bits = exponent == 31
                            ? (fraction != 0 ? 0x7fc00000u : 0x7f800000u) | fraction << 13
                            : (exponent + 112) << 23 | fraction << 13;
  const uint32_t wide = sign | bits;
  float value;
  memcpy(&value, &wide, sizeof value);
  return value;
}

template <typename W, typename Convert>
void linear(const float* x, int64_t ldx, const W* w, int64_t k, int64_t rows, int64_t n, float* y,
            int64_t ldy, Convert convert) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < n; ++c) {
      float lane[16] = {};
      for (int64_t i = 0; i < k; i += 16) {
        for (int64_t j = 0; j < 16; ++j) {
          const bool inside = i + j < k;
          const float xv = inside ? x[r * ldx + i + j] : 0.0f;
          const float wv = inside ? convert(w[c * k + i + j]) : 0.0f;
          lane[j] = fmaf(xv, wv, lane[j]);
        }
      }
      for (int64_t half = 8; half > 0; half /= 2)
        for (int64_t j = 0; j < half; ++j) lane[j] += lane[j + half];
      y[r * ldy + c] = lane[0];
    }
  }
}

template <typename T, typename Convert>
void pack_floats(const T* source, int64_t stride, bool k_contiguous, int64_t width, int64_t k,
                 float* out, Convert convert) {
  const int64_t along_k = k_contiguous ? 1 : stride, along_i = k_contiguous ? stride : 1;
  for (int64_t j = 0; j < k; ++j) {
    const T* from = source + j * along_k;
    float* to = out + j * kPanel;
    for (int64_t i = 0; i < width; ++i) to[i] = convert(from[i * along_i]);
    for (int64_t i = width; i < kPanel; ++i) to[i] = 0.0f;
  }
}

// The element, or zero where padding begins.
uint16_t element(const uint16_t* source, int64_t stride, bool k_contiguous, int64_t width,
                 int64_t k, int64_t i, int64_t j) {
  if (i >= width || j >= k) return 0;
  return k_contiguous ? source[i * stride + j] : source[j * stride + i];
}

}  // namespace

void linear_f32(const float* x, int64_t ldx, const void* w, int64_t k, int64_t rows, int64_t n,
                float* y, int64_t ldy) {
  linear(x, ldx, static_cast<const float*>(w), k, rows, n, y, ldy, [](float v) { return v; });
}

void linear_f16(const float* x, int64_t ldx, const void* w, int64_t k, int64_t rows, int64_t n,
                float* y, int64_t ldy) {
  linear(x, ldx, static_cast<const uint16_t*>(w), k, rows, n, y, ldy, from_f16);
}

void linear_bf16(const float* x, int64_t ldx, const void* w, int64_t k, int64_t rows, int64_t n,
                 float* y, int64_t ldy) {
  linear(x, ldx, static_cast<const uint16_t*>(w), k, rows, n, y, ldy, widen);
}

void pack_f32(const void* source, int64_t stride, bool k_contiguous, int64_t width, int64_t k,
              void* out) {
  pack_floats(static_cast<const float*>(source), stride, k_contiguous, width, k,
              static_cast<float*>(out), [](float v) { return v; });
}

void pack_widened(const void* source, int64_t stride, bool k_contiguous, int64_t width, int64_t k,
                  void* out) {
  pack_floats(static_cast<const uint16_t*>(source), stride, k_contiguous, width, k,
              static_cast<float*>(out), widen);
}

void pack_pairs_a(const void* source, int64_t stride, bool k_contiguous, int64_t width, int64_t k,
                  void* out) {
  const auto* from = static_cast<const uint16_t*>(source);
  auto* to = static_cast<uint16_t*>(out);
  for (int64_t block = 0; block < k; block += kPairStep)
    for (int64_t i = 0; i < kPanel; ++i)
      for (int64_t j = 0; j < kPairStep; ++j)
        *to++ = element(from, stride, k_contiguous, width, k, i, block + j);
}

void pack_pairs_b(const void* source, int64_t stride, bool k_contiguous, int64_t width, int64_t k,
                  void* out) {
  const auto* from = static_cast<const uint16_t*>(source);
  auto* to = static_cast<uint16_t*>(out);
  const int64_t padded = (k + kPairStep - 1) / kPairStep * kPairStep;
  for (int64_t pair = 0; pair < padded; pair += 2)
    for (int64_t i = 0; i < kPanel; ++i)
      for (int64_t j = 0; j < 2; ++j)
        *to++ = element(from, stride, k_contiguous, width, k, i, pair + j);
}

void pack_quads(const void* source, int64_t stride, bool k_contiguous, int64_t width, int64_t k,
                void* out) {
  const auto* from = static_cast<const uint16_t*>(source);
  auto* to = static_cast<uint16_t*>(out);
  for (int64_t quad = 0; quad < k; quad += kQuadStep)
    for (int64_t i = 0; i < kPanel; ++i)
      for (int64_t j = 0; j < kQuadStep; ++j)
        *to++ = element(from, stride, k_contiguous, width, k, i, quad + j);
}

void panel_f32(const void* a, const void* b, int64_t strip_stride, int64_t k, float* c, int64_t ldc,
               int64_t rows, int64_t columns, bool accumulate, Ahead) {
  const auto* panel = static_cast<const float*>(a);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t n = 0; n < columns; ++n) {
      const float* strip = static_cast<const float*>(b) + n / kPanel * strip_stride + n % kPanel;
      float sum = accumulate ? c[r * ldc + n] : 0.0f;
      for (int64_t i = 0; i < k; ++i) sum = fmaf(panel[i * kPanel + r], strip[i * kPanel], sum);
      c[r * ldc + n] = sum;
    }
  }
}

void to_bf16(const float* source, int64_t ld_source, uint16_t* destination, int64_t ld_destination,
             int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < columns; ++i) {
      uint32_t bits;
      memcpy(&bits, source + r * ld_source + i, sizeof bits);
      const bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
      const uint32_t rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
      destination[r * ld_destination + i] =
          static_cast<uint16_t>((nan ? bits | 0x400000u : rounded) >> 16);
    }
  }
}

void enter() {}
void leave() {}

}  // namespace bantam::cpu::scalar
