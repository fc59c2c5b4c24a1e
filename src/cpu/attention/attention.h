#pragma once

// Grouped-query attention, blocked over keys (Dao 2023, "FlashAttention-2").
//
//   s[j] = cap(scale * q . k[j]) + bias[j],  p[j] = exp(s[j]) / (sum_j exp(s[j]) + exp(sink)),
//   out = sum_j p[j] v[j],  lse = log (sum_j exp(s[j]) + exp(sink))
//
// over the cells j that a row sees, where cap(x) = softcap tanh(x / softcap) (Gemma 2), and cap,
// bias and sink are there where the op has them. Key blocks lie at fixed multiples of kBlock, and
// the online softmax is restarted at fixed multiples of kSplit and merged in order, so that a row's
// bits depend on nothing but its own query and the cells that it sees.
//
// Every f32 sum is a chain of fused multiply-adds in index order, one chain per output element, and
// exp is one polynomial: FloatKernels give equal bits on every instruction set. Plain C types only,
// so that kernel files may include it.

#include <stdint.h>

namespace bantam::cpu::attention {

inline constexpr int kBlock = 64;   // keys per block
inline constexpr int kSplit = 256;  // keys per restart of the online softmax
inline constexpr int kLanes = 16;   // lanes of a row's running sum; widths are padded to this

// q8_0 and q4_0: only of caches, with keys in groups.
enum class Element : int { f32, f16, bf16, q8_0, q4_0 };

// Of n elements; whole blocks of the last two.
constexpr int64_t element_bytes(Element e, int64_t n) {
  return e == Element::f32    ? 4 * n
         : e == Element::q8_0 ? n / 32 * 34
         : e == Element::q4_0 ? n / 32 * 18
                              : 2 * n;
}

inline int64_t round_up(int64_t n, int64_t to) {
  return (n + to - 1) / to * to;
}

// How scores come from q . k.
struct Scoring {
  float scale;
  float softcap = 0;  // 0: none
};

// One key block against `rows` query rows. D: size of queries and keys, E: of values, P and Q: D
// and E rounded up to kLanes, padding zero.
struct ForwardBlock {
  int64_t rows, D, P, Q;
  int64_t count;  // keys of the block that any row sees, 1..kBlock
  Scoring scoring;
  const float* q;   // [rows, P]
  const float* kt;  // [D, kBlock], transposed keys
  const float* v;   // [kBlock, Q]
  // [rows] the row sees keys hidden .. visible - 1 of this block; hidden < visible, or visible is 0
  const int32_t *visible, *hidden;
  const float* bias;  // [rows, kBlock], or null
  // Running softmax: maximum, lanes of the sum, weighted values.
  float* m;  // [rows], -inf at first
  float* l;  // [rows, kLanes]
  float* o;  // [rows, Q]
};

// The same for the gradient: with p[j] = exp(s[j] - lse) and g[j] = p[j] (dout . v[j] - delta),
// where delta = dout . out: dbias[j] = g[j], ds[j] = scale cap' g[j], dv[j] += p[j] dout,
// dk[j] += ds[j] q, dq += sum_j ds[j] k[j].
struct BackwardBlock {
  int64_t rows, D, E, P, Q;
  int64_t count;
  Scoring scoring;
  const float* q;                   // [rows, P]
  const float* dout;                // [rows, Q]
  const float* k;                   // [kBlock, P]
  const float* kt;                  // [D, kBlock]
  const float* vt;                  // [E, kBlock]
  const int32_t *visible, *hidden;  // [rows]
  const float* bias;                // [rows, kBlock], or null
  float* dbias;                     // [rows, kBlock], written where bias is given
  const float* lse;                 // [rows]
  const float* delta;               // [rows]
  float* p;                         // [rows, kBlock] scratch
  float* ds;                        // [rows, kBlock] scratch
  float* dq;                        // [rows, P], added to
  float* dk;                        // [kBlock, P], added to
  float* dv;                        // [kBlock, Q], added to
};

// The same for few query rows, with keys and values as they lie in a cache: their element types are
// those of the kernel. Keys: groups of kLanes cells, each [D, kLanes].
struct FewBlock {
  ForwardBlock block;  // without kt and v; Q: exactly the size of values
  const void *keys, *values;
  int64_t keys_ahead, values_ahead;  // bytes to those that will be asked for next; 0: none
  int64_t key_stride;                // bytes from one group of cells to the next
  int64_t value_stride;              // elements from one cell to the next
};

// Adds the probabilities that rows give to the cells of one key block, p[j] = exp(s[j] - lse), to
// mass[j], row after row.
struct MassBlock {
  int64_t rows, D, P;
  int64_t count;  // keys of the block that any row sees
  Scoring scoring;
  const float* q;          // [rows, P]
  const float* kt;         // [D, kBlock]
  const int32_t* visible;  // [rows] the row sees keys 0 .. visible - 1
  const float* lse;        // [rows]
  float* p;                // [rows, kBlock] scratch
  float* mass;             // [kBlock], added to
};

struct FloatKernels {
  // `count` rows of D elements, `stride` elements apart, to float [kBlock, P] with zero padding ...
  void (*pack[5])(const void* x, int64_t stride, int64_t count, int64_t D, int64_t P, float* to);
  // ... or transposed to [D, kBlock]; columns from `count` up to a multiple of kLanes repeat the
  // last row.
  void (*pack_transposed[3])(const void* x, int64_t stride, int64_t count, int64_t D, float* to);
  // From groups of kLanes cells, `stride` bytes apart, each [D, kLanes], to [D, kBlock].
  void (*pack_groups[5])(const void* x, int64_t stride, int64_t count, int64_t D, float* to);
  void (*forward)(const ForwardBlock&);
  // The same bits as `forward` after packing.
  void (*forward_few[5])(const FewBlock&);
  // Merges the softmax of a later split (m, l, o) of one row into `to_*`.
  void (*merge)(float m, const float* l, const float* o, int64_t Q, float* to_m, float* to_l,
                float* to_o);
  void (*backward)(const BackwardBlock&);
  void (*add_mass)(const MassBlock&);
};

// `forward` over cached keys and values by tiles of bf16 with f32 sums (Intel AMX). Each operand is
// the sum of two numbers in bf16, x = high + low, and each product that of high with high, high
// with low and low with high: 2^-16 of it are lost at most, where f32 loses 2^-24. Cells that a row
// does not see are multiplied by zero, so those that another row of the call sees must be finite.
struct SplitKernels {
  // Keys to their parts in pairs of D, [2][round_up(D, 32) / 2][kBlock][2]; null for f32.
  void (*pack_keys[5])(const FewBlock& cached, uint16_t* to);
  // Values to their parts in pairs of cells, [2][kBlock / 2][Q][2], zeros from `count` on.
  void (*pack_values[5])(const FewBlock& cached, uint16_t* to);
  // The parts take the places of kt and v. D: even, at most kMostSplitWidth, as is Q.
  void (*forward)(const ForwardBlock&);
};
inline constexpr int64_t kMostSplitWidth = 640;

// Tiles of bf16 with f32 sums (Intel AMX), for plain scores and values of the size of keys: any
// number of rows of one sequence and one head. Rows of q, out, dout and dq lie `stride` elements
// apart, those of lse `lse_stride`. A row's bits depend only on its own query and the cells that it
// sees; but cells that another row of the same call sees must be finite, since hidden products are
// multiplied by zero.
struct TileForward {
  int64_t rows, D;
  float scale;
  int64_t stride, lse_stride;
  const uint16_t* q;
  const uint16_t* keys;    // k in score layout, all blocks that a row sees
  const uint16_t* values;  // v in sum layout
  const int32_t* visible;  // [rows] cells that the row sees
  uint16_t* out;
  float* lse;
  void* scratch;  // tile_scratch_bytes(D), 64-byte aligned
};

struct TileBackward {
  int64_t rows, D;
  float scale;
  int64_t stride, lse_stride;
  const uint16_t *q, *out, *dout;
  const float* lse;
  const uint16_t* keys;      // k in score layout
  const uint16_t* values;    // v in score layout
  const uint16_t* key_rows;  // k in sum layout
  const int32_t* visible;    // [rows]
  uint16_t* dq;
  float *dk, *dv;  // [blocks, round_up(D, 16), kBlock], transposed; added to
  void* scratch;
};

struct TileKernels {
  // `count` <= kBlock rows to a block of B tiles, zero padded: pairs of D (score layout, products
  // over D) or pairs of cells (sum layout, products over cells).
  void (*pack_scores)(const uint16_t* x, int64_t stride, int64_t count, int64_t D, uint16_t* to);
  void (*pack_sums)(const uint16_t* x, int64_t stride, int64_t count, int64_t D, uint16_t* to);
  // `count` columns of a block of dk or dv to rows of bf16.
  void (*unpack)(const float* x, int64_t count, int64_t D, uint16_t* to, int64_t stride);
  void (*forward)(const TileForward&);
  void (*backward)(const TileBackward&);
};

inline int64_t score_block(int64_t D) {
  return kBlock * round_up(D, 32);
}  // elements
inline int64_t sum_block(int64_t D) {
  return kBlock * round_up(D, 16);
}
inline int64_t tile_scratch_bytes(int64_t D) {
  return kBlock * (14 * kBlock + 12 * round_up(D, 32));
}

// The kernels that this processor and BANTAM_ISA allow; no tiles: null.
const FloatKernels& float_kernels();
const TileKernels* tile_kernels();
const SplitKernels* split_kernels();

}  // namespace bantam::cpu::attention
