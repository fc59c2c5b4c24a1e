#include <math.h>

#include "base/half.h"
#include "cpu/quant/quant.h"
#include "tensor/interleave.h"
#include "tensor/unpack.h"

namespace bantam::cpu::scalar {

namespace {

int sum_of(const BlockQ8A& x) {
  return x.sum[0] + x.sum[1];
}

float scaled_sum(const BlockQ8A& x) {
  return x.d * static_cast<float>(sum_of(x));
}

void quantize(const float* x, BlockQ8A* q, int64_t blocks) {
  for (int64_t b = 0; b < blocks; ++b, x += 32) {
    uint32_t bits = 0;  // magnitudes compare like their bits, and NaN is the largest
    for (int i = 0; i < 32; ++i) {
      const uint32_t magnitude = float_bits(x[i]) & 0x7fffffffu;
      bits = bits < magnitude ? magnitude : bits;
    }
    const float largest = bits_float(bits);
    q[b] = BlockQ8A{};
    if (bits >= 0x7f800000u) {
      q[b].d = bits_float(0x7fc00000u);
    } else if (largest >= 0x1p-100f) {
      q[b].d = largest / 127.0f;
      const float inverse = 127.0f / largest;
      for (int i = 0; i < 32; ++i) {
        const int level = static_cast<int>(rintf(x[i] * inverse));
        q[b].q[i] = static_cast<int8_t>(level);
        q[b].sum[i / 16] = static_cast<int16_t>(q[b].sum[i / 16] + level);
      }
    }
  }
}

// One group of 32: adds its part of the row's product to acc.
float add_q8_0(const uint8_t* w, const BlockQ8A* x, float acc) {
  const auto* block = reinterpret_cast<const BlockQ8_0*>(w);
  int isum = 0;
  for (int i = 0; i < 32; ++i) isum += block->q[i] * x->q[i];
  return fmaf(static_cast<float>(isum), f16_to_float(block->d) * x->d, acc);
}

int nibble_sum(const uint8_t* q, const int8_t* x) {
  int isum = 0;
  for (int i = 0; i < 16; ++i) isum += (q[i] & 15) * x[i] + (q[i] >> 4) * x[i + 16];
  return isum;
}

float add_q4_0(const uint8_t* w, const BlockQ8A* x, float acc) {
  const auto* block = reinterpret_cast<const BlockQ4_0*>(w);
  const int isum = nibble_sum(block->q, x->q) - 8 * sum_of(*x);
  return fmaf(static_cast<float>(isum), f16_to_float(block->d) * x->d, acc);
}

float add_q4_1(const uint8_t* w, const BlockQ8A* x, float acc) {
  const auto* block = reinterpret_cast<const BlockQ4_1*>(w);
  const int isum = nibble_sum(block->q, x->q);
  acc = fmaf(static_cast<float>(isum), f16_to_float(block->d) * x->d, acc);
  return fmaf(f16_to_float(block->m), scaled_sum(*x), acc);
}

// Six-bit scale and minimum of sub-block s.
void k_scales(const uint8_t* packed, int s, int* scale, int* minimum) {
  if (s < 4) {
    *scale = packed[s] & 63;
    *minimum = packed[s + 4] & 63;
  } else {
    *scale = (packed[s + 4] & 15) | ((packed[s - 4] >> 6) << 4);
    *minimum = (packed[s + 4] >> 4) | ((packed[s] >> 6) << 4);
  }
}

template <typename Block>
float add_sub_block(const Block& block, int s, int isum, const BlockQ8A& x, float acc) {
  int scale, minimum;
  k_scales(block.scales, s, &scale, &minimum);
  const float d = f16_to_float(block.d) * static_cast<float>(scale);
  const float m = f16_to_float(block.dmin) * static_cast<float>(minimum);
  acc = fmaf(static_cast<float>(isum), d * x.d, acc);
  return fmaf(-m, scaled_sum(x), acc);
}

float add_q4_k(const uint8_t* w, const BlockQ8A* x, float acc) {
  const auto* block = reinterpret_cast<const BlockQ4_K*>(w);
  for (int s = 0; s < 8; ++s) {
    const uint8_t* q = block->q + s / 2 * 32;
    int isum = 0;
    for (int i = 0; i < 32; ++i) isum += ((q[i] >> (s % 2 * 4)) & 15) * x[s].q[i];
    acc = add_sub_block(*block, s, isum, x[s], acc);
  }
  return acc;
}

float add_q5_k(const uint8_t* w, const BlockQ8A* x, float acc) {
  const auto* block = reinterpret_cast<const BlockQ5_K*>(w);
  for (int s = 0; s < 8; ++s) {
    const uint8_t* q = block->q + s / 2 * 32;
    int isum = 0;
    for (int i = 0; i < 32; ++i) {
      const int high = ((block->high[i] >> s) & 1) << 4;
      isum += (((q[i] >> (s % 2 * 4)) & 15) | high) * x[s].q[i];
    }
    acc = add_sub_block(*block, s, isum, x[s], acc);
  }
  return acc;
}

float scaled(const float (&scale)[2], const int (&isum)[2]) {
  return fmaf(scale[0], static_cast<float>(isum[0]), scale[1] * static_cast<float>(isum[1]));
}

float add_q6_k(const uint8_t* w, const BlockQ8A* x, float acc) {
  const auto* block = reinterpret_cast<const BlockQ6_K*>(w);
  const float d = f16_to_float(block->d);
  for (int s = 0; s < 8; ++s) {
    const uint8_t* low = block->low + s / 4 * 64 + s % 2 * 32;
    const uint8_t* high = block->high + s / 4 * 32;
    int isum[2] = {};
    for (int i = 0; i < 32; ++i) {
      const int q = ((low[i] >> (s % 4 / 2 * 4)) & 15) | (((high[i] >> (s % 4 * 2)) & 3) << 4);
      isum[i / 16] += (q - 32) * x[s].q[i];
    }
    const int8_t* scales = block->scales + 2 * s;
    const float scale[2] = {d * static_cast<float>(scales[0]), d * static_cast<float>(scales[1])};
    acc = fmaf(scaled(scale, isum), x[s].d, acc);
  }
  return acc;
}

template <class Block>
float add_unpacked(const uint8_t* w, const BlockQ8A* x, float acc) {
  UnpackedBlock u;
  unpack(*reinterpret_cast<const Block*>(w), u);
  for (int g = 0; g < kBlockLength<Block> / 32; ++g, ++x) {
    int isum[2] = {};
    for (int i = 0; i < 32; ++i) isum[i / 16] += u.q[32 * g + i] * x->q[i];
    const auto of_half = [g](float factor, const int8_t* scales, int h) {
      return factor * static_cast<float>(scales[2 * g + h]);
    };
    const float scale[2] = {of_half(u.d, u.scale, 0), of_half(u.d, u.scale, 1)};
    if constexpr (kHasHalves<Block>) {
      float sum = scaled(scale, isum);
      for (int h = 0; kHasMinima<Block> && h < 2; ++h) {
        sum = fmaf(of_half(u.m, u.minimum, h), static_cast<float>(x->sum[h]), sum);
      }
      acc = fmaf(sum, x->d, acc);
    } else {
      acc = fmaf(static_cast<float>(isum[0] + isum[1]), scale[0] * x->d, acc);
      if constexpr (kHasMinima<Block>) acc = fmaf(u.m, scaled_sum(*x), acc);
    }
  }
  return acc;
}

template <float (*add)(const uint8_t*, const BlockQ8A*, float), int length, int bytes>
void linear(const BlockQ8A* x, const uint8_t* w, float* y, const QuantLinearShape& shape) {
  const int64_t blocks = shape.k / length;
  for (int64_t n = 0; n < shape.n; ++n) {
    for (int64_t m = 0; m < shape.m; ++m) {
      float acc = 0.0f;
      for (int64_t b = 0; b < blocks; ++b) {
        acc = add(w + (n * blocks + b) * bytes, x + m * (shape.k / 32) + b * (length / 32), acc);
      }
      y[m * shape.y_stride + n] = acc;
    }
  }
}

template <class Block>
constexpr auto linear_unpacked = linear<add_unpacked<Block>, kBlockLength<Block>, sizeof(Block)>;

template <float (*add)(const uint8_t*, const BlockQ8A*, float), class Block,
          int64_t length = kBlockLength<Block>>
void linear_interleaved(const BlockQ8A* x, const uint8_t* w, float* y,
                        const QuantLinearShape& shape) {
  constexpr int64_t bytes = sizeof(Block);
  const int64_t blocks = shape.k / length;
  for (int64_t n = 0; n < shape.n; ++n) {
    const uint8_t* group = w + n / kRowGroup * kRowGroup * blocks * bytes;
    for (int64_t m = 0; m < shape.m; ++m) {
      float acc = 0.0f;
      for (int64_t b = 0; b < blocks; ++b) {
        alignas(4) uint8_t block[bytes];
        gather_block(group + b * kRowGroup * bytes, kSmallField<Block>, bytes,
                     static_cast<int>(n % kRowGroup), block);
        acc = add(block, x + m * (shape.k / 32) + b * (length / 32), acc);
      }
      y[m * shape.y_stride + n] = acc;
    }
  }
}

template <class Block>
constexpr auto interleaved_unpacked = linear_interleaved<add_unpacked<Block>, Block>;

}  // namespace

extern const QuantKernels quant_kernels;
const QuantKernels quant_kernels{
    1,
    quantize,
    {linear<add_q8_0, 32, sizeof(BlockQ8_0)>,
     linear<add_q4_0, 32, sizeof(BlockQ4_0)>,
     linear<add_q4_1, 32, sizeof(BlockQ4_1)>,
     linear<add_q4_k, 256, sizeof(BlockQ4_K)>,
     linear<add_q5_k, 256, sizeof(BlockQ5_K)>,
     linear<add_q6_k, 256, sizeof(BlockQ6_K)>,
     linear_unpacked<BlockQ5_0>,
     linear_unpacked<BlockQ5_1>,
     linear_unpacked<BlockQ2_K>,
     linear_unpacked<BlockQ3_K>,
     linear_unpacked<BlockTQ1_0>,
     linear_unpacked<BlockTQ2_0>,
     linear_unpacked<BlockIQ4_NL>,
     linear_unpacked<BlockIQ4_XS>,
     linear_unpacked<BlockMXFP4>,
     linear_unpacked<BlockIQ2_XXS>,
     linear_unpacked<BlockIQ2_XS>,
     linear_unpacked<BlockIQ2_S>,
     linear_unpacked<BlockIQ3_XXS>,
     linear_unpacked<BlockIQ3_S>,
     linear_unpacked<BlockIQ1_S>,
     linear_unpacked<BlockIQ1_M>},
    {linear_interleaved<add_q8_0, BlockQ8_0, 32>, linear_interleaved<add_q4_0, BlockQ4_0, 32>,
     linear_interleaved<add_q4_1, BlockQ4_1, 32>, linear_interleaved<add_q4_k, BlockQ4_K>,
     linear_interleaved<add_q5_k, BlockQ5_K>, linear_interleaved<add_q6_k, BlockQ6_K>,
     interleaved_unpacked<BlockQ5_0>, interleaved_unpacked<BlockQ5_1>,
     interleaved_unpacked<BlockQ2_K>, interleaved_unpacked<BlockQ3_K>,
     interleaved_unpacked<BlockTQ1_0>, interleaved_unpacked<BlockTQ2_0>,
     interleaved_unpacked<BlockIQ4_NL>, interleaved_unpacked<BlockIQ4_XS>,
     interleaved_unpacked<BlockMXFP4>}};

}  // namespace bantam::cpu::scalar
