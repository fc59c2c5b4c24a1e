#pragma once

// For tests: block-quantised matrices of any bytes, so that all levels and scales of a format
// occur, also where Bantam cannot write it.

#include <cmath>
#include <cstring>

#include "base/half.h"
#include "base/random.h"
#include "tensor/blocks.h"
#include "tensor/tensor.h"

namespace bantam {

// Sets the scale of a block, and what it multiplies minima with, to finite numbers.
inline void set_block_scales(DType type, uint8_t* block, float d, float m) {
  const uint16_t halves[2] = {float_to_f16(d), float_to_f16(m)};
  if (type == DType::mxfp4) {
    block[0] = static_cast<uint8_t>(128 + std::ilogb(d));
  } else if (type == DType::iq1_m) {
    for (int w = 0; w < 4; ++w) {
      uint8_t& top = block[offsetof(BlockIQ1_M, scales) + static_cast<size_t>(2 * w + 1)];
      top = static_cast<uint8_t>((top & 15) | ((halves[0] >> (4 * w)) << 4));
    }
  } else if (type == DType::q2_k) {
    std::memcpy(block + offsetof(BlockQ2_K, d), halves, 4);
  } else if (type == DType::q4_1 || type == DType::q5_1 || type == DType::q4_k ||
             type == DType::q5_k) {
    std::memcpy(block, halves, 4);
  } else {
    const int64_t bytes = dtype_info(type).block_bytes;
    const bool at_end =
        type == DType::q6_k || type == DType::q3_k || type == DType::tq1_0 || type == DType::tq2_0;
    std::memcpy(block + (at_end ? bytes - 2 : 0), halves, 2);
  }
}

// Scales are normal with this standard deviation.
inline Tensor random_blocks(DType type, const Shape& shape, uint64_t seed, float deviation) {
  Tensor w = Tensor::zeros(type, shape);
  Random random(seed);
  auto* bytes = w.as<uint8_t>();
  for (int64_t i = 0; i < w.bytes(); ++i) bytes[i] = static_cast<uint8_t>(random.next());
  for (int64_t at = 0; at < w.bytes(); at += dtype_info(type).block_bytes) {
    const float d = random.normal() * deviation;
    set_block_scales(type, bytes + at, d != 0.0f ? d : deviation, random.normal() * deviation);
  }
  return w;
}

}  // namespace bantam
