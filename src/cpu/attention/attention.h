#pragma once

// Grouped-query attention, blocked over keys (Dao 2023, "FlashAttention-2").
//
//   s[j] = scale * q . k[j],  p[j] = exp(s[j]) / sum_j exp(s[j]),  out = sum_j p[j] v[j],
//   lse = log sum_j exp(s[j])
//
// over the cells j that a row sees. Key blocks lie at fixed multiples of kBlock, and the online
// softmax is restarted at fixed multiples of kSplit and merged in order, so that a row's bits
// depend on nothing but its own query and the cells that it sees.
//
// Every f32 sum is a chain of fused multiply-adds in index order, one chain per output element, and
// exp is one polynomial: FloatKernels give equal bits on every instruction set. Plain C types only,
// so that kernel files may include it.

#include <stdint.h>

namespace bantam::cpu::attention {

inline constexpr int kBlock = 64;   // keys per block
inline constexpr int kSplit = 512;  // keys per restart of the online softmax
inline constexpr int kLanes = 16;   // lanes of a row's running sum; widths are padded to this

enum class Element : int { f32, f16, bf16 };

inline int64_t round_up(int64_t n, int64_t to) {
  return (n + to - 1) / to * to;
}

// One key block against `rows` query rows. D: head size, P: D rounded up to kLanes, padding zero.
struct ForwardBlock {
  int64_t rows, D, P;
  int64_t count;  // keys of the block that any row sees, 1..kBlock
  float scale;
  const float* q;          // [rows, P]
  const float* kt;         // [D, kBlock], transposed keys
  const float* v;          // [kBlock, P]
  const int32_t* visible;  // [rows] keys of this block that the row sees, 0..count
  // Running softmax: maximum, lanes of the sum, weighted values.
  float* m;  // [rows], -inf at first
  float* l;  // [rows, kLanes]
  float* o;  // [rows, P]
};

// The same for the gradient: with p[j] = exp(s[j] - lse) and ds[j] = scale p[j] (dout . v[j] -
// delta) dv[j] += p[j] dout, dk[j] += ds[j] q, dq += sum_j ds[j] k[j], where delta = dout . out.
struct BackwardBlock {
  int64_t rows, D, P;
  int64_t count;
  float scale;
  const float* q;          // [rows, P]
  const float* dout;       // [rows, P]
  const float* k;          // [kBlock, P]
  const float* kt;         // [D, kBlock]
  const float* vt;         // [D, kBlock]
  const int32_t* visible;  // [rows]
  const float* lse;        // [rows]
  const float* delta;      // [rows]
  float* p;                // [rows, kBlock] scratch
  float* ds;               // [rows, kBlock] scratch
  float* dq;               // [rows, P], added to
  float* dk;               // [kBlock, P], added to
  float* dv;               // [kBlock, P], added to
};

struct FloatKernels {
  // `count` rows of D elements, `stride` elements apart, to float [kBlock, P] with zero padding ...
  void (*pack[3])(const void* x, int64_t stride, int64_t count, int64_t D, int64_t P, float* to);
  // ... or transposed to [D, kBlock]; columns from `count` up to a multiple of kLanes repeat the
  // last row.
  void (*pack_transposed[3])(const void* x, int64_t stride, int64_t count, int64_t D, float* to);
  void (*forward)(const ForwardBlock&);
  // Merges the softmax of a later split (m, l, o) of one row into `to_*`.
  void (*merge)(float m, const float* l, const float* o, int64_t P, float* to_m, float* to_l,
                float* to_o);
  void (*backward)(const BackwardBlock&);
};

// Tiles of bf16 with f32 sums (Intel AMX): forward and backward of one run of rows and one head.
// A row's bits depend only on its own query and cells, but cells that another row of the same call
// sees must be finite, since hidden products are multiplied by zero.
struct TileForward {
  int64_t rows;  // any number; q and out rows lie `stride` elements apart
  int64_t D;
  float scale;
  const uint16_t* q;
  int64_t q_stride;
  const uint16_t* keys;  // packed by pack(), blocks 0 .. ceil(max visible / kBlock)
  const uint16_t* values;
  const int32_t* visible;  // [rows] cells that the row sees
  uint16_t* out;
  int64_t out_stride;
  float* lse;  // element r at lse[r * lse_stride]
  int64_t lse_stride;
  void* scratch;  // forward_scratch(D) bytes, 64-byte aligned
};

struct TileBackward {
  int64_t rows, D;
  float scale;
  const uint16_t *q, *dout;  // rows `q_stride` elements apart
  int64_t q_stride;
  const uint16_t* keys;      // score layout of k
  const uint16_t* values;    // score layout of v
  const uint16_t* key_rows;  // sum layout of k
  const int32_t* visible;
  const float* lse;    // [rows], contiguous
  const float* delta;  // [rows], contiguous
  uint16_t* dq;        // rows `q_stride` apart
  float *dk, *dv;      // [blocks, round_up(D, 16), kBlock] transposed, added to
  void* scratch;       // backward_scratch(D) bytes
};

struct TileKernels {
  // Rows to B-tile order, zero padded to kBlock keys and 32 D (score layout: product over D) or
  // 16 D (sum layout: product over keys). Strides in elements.
  void (*pack_scores)(const uint16_t* x, int64_t stride, int64_t count, int64_t D, uint16_t* to);
  void (*pack_sums)(const uint16_t* x, int64_t stride, int64_t count, int64_t D, uint16_t* to);
  void (*forward)(const TileForward&);
  void (*backward)(const TileBackward&);
};

inline int64_t score_layout_elements(int64_t D) {
  return kBlock * round_up(D, 32);
}
inline int64_t sum_layout_elements(int64_t D) {
  return kBlock * round_up(D, 16);
}
int64_t forward_scratch(int64_t D);
int64_t backward_scratch(int64_t D);

// The kernels that this processor and BANTAM_ISA allow; no tiles: null.
const FloatKernels& float_kernels();
const TileKernels* tile_kernels();

}  // namespace bantam::cpu::attention
