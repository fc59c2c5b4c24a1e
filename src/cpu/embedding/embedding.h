#pragma once

// The gradient of an embedding table, one row of it:
//
//   out[c] = sum over k = 0 .. count - 1, in this order, of dy[rows[k]][c]        dy: [N, columns]
//
// so the result does not depend on how rows of the table are shared out. Float32 sums of float32 or
// bfloat16 rows; the same bits on every instruction set. (The forward op copies rows or has the
// type of the table convert them, and needs no kernel.)

#include <stdint.h>

namespace bantam::cpu {

using GatherSumFn = void (*)(const void* dy, int64_t columns, const int32_t* rows, int64_t count,
                             float* out);

// Indexed by the type of dy: 0 = float32, 1 = bfloat16.
struct EmbeddingKernels {
  GatherSumFn gather_sum[2];
};

namespace scalar {
extern const EmbeddingKernels kEmbeddingKernels;
}
namespace x86_avx2 {
extern const EmbeddingKernels kEmbeddingKernels;
}
namespace x86_avx512 {
extern const EmbeddingKernels kEmbeddingKernels;
}
namespace arm_neon {
extern const EmbeddingKernels kEmbeddingKernels;
}

}  // namespace bantam::cpu
