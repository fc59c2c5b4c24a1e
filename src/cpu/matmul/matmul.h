#pragma once

// Matrix products.
//
//   linear   y[m][n] = sum_k x[m][k] * w[n][k]          f32 x, w in f32, f16 or bf16
//   rounded  the same with w in bf16 and x rounded to it, where a set has such products
//   gemm     C[m][n] = sum_k A[m][k] * B[k][n]          f32 or bf16, either operand transposed
//
// `linear` reads the weights where they are (they may be a mapped file) and runs with the lanes
// over k: lane j of 16 sums the elements k = j mod 16 in order with fused multiply-adds (a short
// last group is filled up with zeros), then lanes are added as a tree 16 -> 8 -> 4 -> 2 -> 1, lane
// j to lane j + half. Every instruction set gives the same bits, for every number of rows.
//
// `rounded` rounds and packs rows of activations first, once a step, and reads the weights where
// they are, too. The bits of a result depend on its own row and weights only, but on the set:
//   AVX512-BF16   lane j of 16 sums the pairs of elements k with k / 2 = j mod 16; lanes as above
//   AMX           a tile product for each 32 elements, in order; for weights in f16 two of them, of
//                 what bf16 has of the weights (cut off) and of the rest
//   NEON BFDOT    lane j of 4 sums the pairs with k / 2 = j mod 4; (0 + 2) + (1 + 3)
// each as the processor's manual says (denormals are zero there, a last group is filled up).
//
// `gemm` first packs strips of 32 columns of B and panels of 32 rows of A (see the layouts below).
// Each C[m][n] is summed over k in ascending order in f32: one fused multiply-add per k on the f32
// layout (the same bits on every instruction set), pairs of k on the bf16 layouts, where AMX,
// AVX512-BF16 and NEON flush denormals and round as the processor's manual says: NEON's BFMMLA each
// product, the sum of a pair and the sum with the pair to odd (FPCR.EBF is 0, as in any process
// that does not set it).
//
// Plain C types only: files of all instruction sets include this.

#include <stddef.h>
#include <stdint.h>

namespace bantam::cpu {

// y[rows][n] = x[rows][k] w[n][k]^T for a block of the output; ldx and ldy are row strides in
// elements, the rows of w follow each other.
using LinearKernel = void (*)(const float* x, int64_t ldx, const void* w, int64_t k, int64_t rows,
                              int64_t n, float* y, int64_t ldy);

struct LinearKernels {
  LinearKernel f32, f16, bf16;
};

// Rows are packed into panels of `step`, each of step * padded(k) elements.
struct RoundedKernels {
  int64_t step;
  // Up to `step` rows of x [rows][k]; what the panel has beyond them is zero.
  void (*pack)(const float* x, int64_t k, int64_t rows, uint16_t* panel);
  // y[rows][n] = x w^T for `rows` rows in panels that follow each other.
  void (*multiply)(const uint16_t* panels, const uint16_t* w, int64_t k, int64_t rows, int64_t n,
                   float* y, int64_t ldy);
  // The same with w in f16, each of which is the sum of two numbers in bf16. Null where that is no
  // faster than to widen them.
  void (*multiply_f16)(const uint16_t* panels, const uint16_t* w, int64_t k, int64_t rows,
                       int64_t n, float* y, int64_t ldy) = nullptr;
};

inline constexpr int64_t kPanel = 32;     // rows of a panel of A, columns of a strip of B
inline constexpr int64_t kPairStep = 32;  // k is padded to this on the bf16 layout
inline constexpr int64_t kQuadStep = 4;   // and to this on NEON's
// `static`: each file has its own, for its own instruction set.
[[maybe_unused]] static constexpr int64_t padded(int64_t k) {
  return (k + kPairStep - 1) / kPairStep * kPairStep;
}
inline constexpr int64_t kMostInnerK = 512;

// Packs `width` (1..32) vectors of length k into a panel or strip, filling up with zeros. Element
// (i, k) of the source is at i * stride + k if `k_contiguous`, else at k * stride + i.
//   f32 layout, A and B:  out[k][32]
//   bf16 layout, A:       out[k / 32][32][k % 32]
//   bf16 layout, B:       out[k / 2][32][k % 2]
//   NEON bf16, A and B:   out[k / 4][32][k % 4]
// In each of them k begins at element 32 * k (k a multiple of the layout's step).
using PackKernel = void (*)(const void* source, int64_t stride, bool k_contiguous, int64_t width,
                            int64_t k, void* out);

// Memory that the call after this one will read: rows of so many bytes. A kernel whose arithmetic
// leaves time for it asks for the lines while it multiplies.
struct Ahead {
  const char* at;
  int64_t stride, rows, bytes;
};

// C[rows][columns] = (accumulate ? C : 0) + panel * strips; rows <= 32, k a multiple of the
// layout's step, strips `strip_stride` elements apart. Nothing outside the rows and columns is
// written.
using PanelKernel = void (*)(const void* a, const void* b, int64_t strip_stride, int64_t k,
                             float* c, int64_t ldc, int64_t rows, int64_t columns, bool accumulate,
                             Ahead ahead);

// out[rows][columns] = (sums ? sums : 0) + panel * strips, rounded as by `to_bf16`.
using RoundedPanelKernel = void (*)(const void* a, const void* b, int64_t strip_stride, int64_t k,
                                    const float* sums, int64_t ld_sums, uint16_t* out,
                                    int64_t ld_out, int64_t rows, int64_t columns, Ahead ahead);

// Everything that a product of one element type needs on one instruction set.
struct GemmKernels {
  int64_t step;           // k is padded to a multiple of this
  int64_t element_bytes;  // of packed elements: 4 (f32 layout) or 2 (bf16 layout)
  int64_t inner_k;        // length of a panel of A, at most kMostInnerK, a multiple of kPairStep
  PackKernel pack_a, pack_b;
  PanelKernel panel;
  RoundedPanelKernel panel_rounded;  // may be null: `panel`, then `to_bf16`
  void (*enter)();                   // per thread, around any number of calls of `panel`
  void (*leave)();
  // Rounds a block to nearest even; NaN stays NaN. The bf16 layout flushes denormals to zero.
  void (*to_bf16)(const float* source, int64_t ld_source, uint16_t* destination,
                  int64_t ld_destination, int64_t rows, int64_t columns);
};

#define BANTAM_DECLARE_MATMUL(isa)                                                                 \
  namespace isa {                                                                                  \
  void linear_f32(const float*, int64_t, const void*, int64_t, int64_t, int64_t, float*, int64_t); \
  void linear_f16(const float*, int64_t, const void*, int64_t, int64_t, int64_t, float*, int64_t); \
  void linear_bf16(const float*, int64_t, const void*, int64_t, int64_t, int64_t, float*,          \
                   int64_t);                                                                       \
  void pack_f32(const void*, int64_t, bool, int64_t, int64_t, void*);                              \
  void pack_widened(const void*, int64_t, bool, int64_t, int64_t, void*); /* bf16 to f32 layout */ \
  void pack_pairs_a(const void*, int64_t, bool, int64_t, int64_t, void*);                          \
  void pack_pairs_b(const void*, int64_t, bool, int64_t, int64_t, void*);                          \
  void pack_quads(const void*, int64_t, bool, int64_t, int64_t, void*);                            \
  void panel_f32(const void*, const void*, int64_t, int64_t, float*, int64_t, int64_t, int64_t,    \
                 bool, Ahead);                                                                     \
  void panel_pairs(const void*, const void*, int64_t, int64_t, float*, int64_t, int64_t, int64_t,  \
                   bool, Ahead);                                                                   \
  void panel_quads(const void*, const void*, int64_t, int64_t, float*, int64_t, int64_t, int64_t,  \
                   bool, Ahead);                                                                   \
  void panel_pairs_rounded(const void*, const void*, int64_t, int64_t, const float*, int64_t,      \
                           uint16_t*, int64_t, int64_t, int64_t, Ahead);                           \
  void to_bf16(const float*, int64_t, uint16_t*, int64_t, int64_t, int64_t);                       \
  void enter();                                                                                    \
  void leave();                                                                                    \
  }
// Not every instruction set defines all of them: table.cpp says who uses what.
BANTAM_DECLARE_MATMUL(scalar)
BANTAM_DECLARE_MATMUL(x86_avx2)
BANTAM_DECLARE_MATMUL(x86_avx512)
BANTAM_DECLARE_MATMUL(x86_bf16)
BANTAM_DECLARE_MATMUL(x86_amx)
BANTAM_DECLARE_MATMUL(arm_neon)
BANTAM_DECLARE_MATMUL(arm_bf16)
#undef BANTAM_DECLARE_MATMUL

}  // namespace bantam::cpu
