#include <arm_neon.h>
#include <string.h>

#include "cpu/matmul/matmul.h"

namespace bantam::cpu::arm_bf16 {
namespace {

bfloat16x8_t load(const uint16_t* p) {
  return vreinterpretq_bf16_u16(vld1q_u16(p));
}

// Eight vectors of length k side by side; out[k / 4][8 of 32][4].
void interleave_8(const uint16_t* source, int64_t stride, int64_t k, uint16_t* out) {
  int64_t j = 0;
  for (; j + kQuadStep <= k; j += kQuadStep, out += kQuadStep * kPanel) {
    uint16x8x4_t rows;
    for (int r = 0; r < 4; ++r) rows.val[r] = vld1q_u16(source + (j + r) * stride);
    vst4q_u16(out, rows);
  }
  if (j == k) return;
  uint16x8x4_t rows;
  for (int r = 0; r < 4; ++r) {
    rows.val[r] = j + r < k ? vld1q_u16(source + (j + r) * stride) : vdupq_n_u16(0);
  }
  vst4q_u16(out, rows);
}

// A vector that lies along k, or null for zeros, to every 32nd quad of out.
void scatter_quads(const uint16_t* source, int64_t k, uint16_t* out) {
  for (int64_t j = 0; j < k; j += kQuadStep, out += kQuadStep * kPanel) {
    uint16_t quad[kQuadStep] = {};
    if (source != nullptr) {
      if (j + kQuadStep <= k) {
        memcpy(quad, source + j, sizeof quad);
      } else {
        memcpy(quad, source + j, static_cast<size_t>(k - j) * sizeof *quad);
      }
    }
    memcpy(out, quad, sizeof quad);
  }
}

// 8 x 8 of C. An instruction adds the products of two rows of A and two columns of B over four k
// to 2 x 2 sums, a row of which is half of a vector.
void multiply_8x8(const uint16_t* a, const uint16_t* b, int64_t k, float* c, int64_t ldc,
                  bool accumulate) {
  float32x4_t sum[4][4];
  for (int i = 0; i < 4; ++i) {
    for (int j = 0; j < 4; ++j) {
      const float* at = c + 2 * i * ldc + 2 * j;
      sum[i][j] = accumulate ? vcombine_f32(vld1_f32(at), vld1_f32(at + ldc)) : vdupq_n_f32(0.0f);
    }
  }
  for (int64_t at = 0; at < k; at += kQuadStep, a += kQuadStep * kPanel, b += kQuadStep * kPanel) {
    bfloat16x8_t rows[4], columns[4];
    for (int i = 0; i < 4; ++i) rows[i] = load(a + 8 * i);
    for (int j = 0; j < 4; ++j) columns[j] = load(b + 8 * j);
    for (int i = 0; i < 4; ++i)
      for (int j = 0; j < 4; ++j) sum[i][j] = vbfmmlaq_f32(sum[i][j], rows[i], columns[j]);
  }
  for (int i = 0; i < 4; ++i) {
    for (int j = 0; j < 4; ++j) {
      float* at = c + 2 * i * ldc + 2 * j;
      vst1_f32(at, vget_low_f32(sum[i][j]));
      vst1_f32(at + ldc, vget_high_f32(sum[i][j]));
    }
  }
}

void copy_block(const float* from, int64_t from_stride, float* to, int64_t to_stride, int64_t rows,
                int64_t width) {
  for (int64_t r = 0; r < rows; ++r)
    memcpy(to + r * to_stride, from + r * from_stride, static_cast<size_t>(width) * 4);
}

uint16x8_t rounded(const float* p) {
  const bfloat16x8_t low = vcvtq_low_bf16_f32(vld1q_f32(p));
  return vreinterpretq_u16_bf16(vcvtq_high_bf16_f32(low, vld1q_f32(p + 4)));
}

}  // namespace

void pack_quads(const void* source, int64_t stride, bool k_contiguous, int64_t width, int64_t k,
                void* out) {
  const auto* from = static_cast<const uint16_t*>(source);
  auto* to = static_cast<uint16_t*>(out);
  if (k_contiguous) {
    for (int64_t i = 0; i < kPanel; ++i)
      scatter_quads(i < width ? from + i * stride : nullptr, k, to + i * kQuadStep);
    return;
  }
  int64_t i = 0;
  for (; i + 8 <= width; i += 8) interleave_8(from + i, stride, k, to + i * kQuadStep);
  for (; i < kPanel; i += 8) {
    uint16_t edge[kQuadStep][8] = {};
    for (int64_t j = 0; j < k; j += kQuadStep) {
      for (int64_t r = 0; r < kQuadStep; ++r) {
        for (int64_t v = i; v < i + 8; ++v)
          edge[r][v - i] = v < width && j + r < k ? from[(j + r) * stride + v] : uint16_t{0};
      }
      interleave_8(edge[0], 8, kQuadStep, to + j * kPanel + i * kQuadStep);
    }
  }
}

void panel_quads(const void* a, const void* b, int64_t strip_stride, int64_t k, float* c,
                 int64_t ldc, int64_t rows, int64_t columns, bool accumulate, Ahead) {
  for (int64_t n = 0; n < columns; n += 8) {
    const uint16_t* strip =
        static_cast<const uint16_t*>(b) + n / kPanel * strip_stride + n % kPanel * kQuadStep;
    const int64_t width = columns - n < 8 ? columns - n : 8;
    for (int64_t r = 0; r < rows; r += 8) {
      const uint16_t* panel = static_cast<const uint16_t*>(a) + r * kQuadStep;
      float* block = c + r * ldc + n;
      const int64_t height = rows - r < 8 ? rows - r : 8;
      if (width == 8 && height == 8) {
        multiply_8x8(panel, strip, k, block, ldc, accumulate);
        continue;
      }
      float edge[8 * 8] = {};
      if (accumulate) copy_block(block, ldc, edge, 8, height, width);
      multiply_8x8(panel, strip, k, edge, 8, accumulate);
      copy_block(edge, 8, block, ldc, height, width);
    }
  }
}

void to_bf16(const float* source, int64_t ld_source, uint16_t* destination, int64_t ld_destination,
             int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; ++r, source += ld_source, destination += ld_destination) {
    int64_t i = 0;
    for (; i + 8 <= columns; i += 8) vst1q_u16(destination + i, rounded(source + i));
    if (i == columns) continue;
    float edge[8] = {};
    uint16_t halves[8];
    memcpy(edge, source + i, static_cast<size_t>(columns - i) * sizeof(float));
    vst1q_u16(halves, rounded(edge));
    memcpy(destination + i, halves, static_cast<size_t>(columns - i) * sizeof(uint16_t));
  }
}

}  // namespace bantam::cpu::arm_bf16
