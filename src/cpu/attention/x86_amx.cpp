#include "cpu/attention/vector_avx512.h"

#include <math.h>
#include <string.h>

#include "cpu/attention/kernels.h"
#include "cpu/attention/tile_product.h"

namespace bantam::cpu::attention::x86_amx {
namespace {

constexpr float kLog2e = 1.44269504f, kLn2 = 0.693147181f;

int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}

// 2^x by the Taylor polynomial of degree 5 (relative error 3e-6, far below that of bf16).
__m512 exp2(__m512 x) {
  const __m512 n = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 r = _mm512_sub_ps(x, n);
  __m512 p = _mm512_set1_ps(1.33335581e-3f);
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(9.61812911e-3f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.55041087e-2f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(2.40226507e-1f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(kLn2));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
  return _mm512_scalef_ps(p, n);
}

__m256i to_bf16(__m512 x) {
  return (__m256i)_mm512_cvtneps_pbh(x);
}

// Two rows of bf16 as pairs: column j holds (a[j], b[j]).
__m512i pairs(__m256i a, __m256i b) {
  return _mm512_or_si512(_mm512_cvtepu16_epi32(a), _mm512_slli_epi32(_mm512_cvtepu16_epi32(b), 16));
}
__mmask16 first_lanes(int64_t n) {
  return static_cast<__mmask16>(n >= 16 ? 0xffffu : n > 0 ? (1u << n) - 1u : 0u);
}
__m256i load16(const uint16_t* x, int64_t n) {
  return _mm256_maskz_loadu_epi16(first_lanes(n), x);
}
__m512 widen(__m256i x) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
}

// 16 rows of 16 double words; row i of the result goes to `to` + i * stride (in double words).
void store_transposed(__m512* r, void* to, int64_t stride) {
  Avx512::transpose(r);
  for (int i = 0; i < 16; ++i) Avx512::store(static_cast<float*>(to) + i * stride, r[i]);
}

void pack_scores(const uint16_t* x, int64_t stride, int64_t count, int64_t D, uint16_t* to) {
  for (int64_t d = 0; d < round_up(D, 32); d += 32)
    for (int64_t j = 0; j < kBlock; j += 16) {
      __m512 r[16];
      const int64_t left = D - d;
      const __mmask32 mask = left >= 32 ? ~0u : (1u << left) - 1u;
      for (int64_t i = 0; i < 16; ++i)
        r[i] = j + i < count
                   ? _mm512_castsi512_ps(_mm512_maskz_loadu_epi16(mask, x + (j + i) * stride + d))
                   : _mm512_setzero_ps();
      store_transposed(r, to + d * kBlock + j * 2, kBlock);
    }
}

void pack_sums(const uint16_t* x, int64_t stride, int64_t count, int64_t D, uint16_t* to) {
  const int64_t width = round_up(D, 16);
  for (int64_t j = 0; j < kBlock; j += 2)
    for (int64_t d = 0; d < width; d += 16) {
      const __m256i zero = _mm256_setzero_si256();
      const __m256i a = j < count ? load16(x + j * stride + d, D - d) : zero;
      const __m256i b = j + 1 < count ? load16(x + (j + 1) * stride + d, D - d) : zero;
      _mm512_storeu_si512(to + j * width + d * 2, pairs(a, b));
    }
}

void unpack(const float* x, int64_t count, int64_t D, uint16_t* to, int64_t stride) {
  for (int64_t d = 0; d < D; d += 16)
    for (int64_t j = 0; j < count; j += 16) {
      __m512 r[16];
      for (int i = 0; i < 16; ++i) r[i] = Avx512::load(x + (d + i) * kBlock + j);
      Avx512::transpose(r);
      for (int64_t i = 0; i < least(16, count - j); ++i)
        _mm256_mask_storeu_epi16(to + (j + i) * stride + d, first_lanes(D - d), to_bf16(r[i]));
    }
}

// Rows to [padded_rows, round_up(D, 32)], zero padded.
void load_rows(const uint16_t* x, int64_t stride, int64_t rows, int64_t padded_rows, int64_t D,
               uint16_t* to) {
  for (int64_t i = 0; i < padded_rows; ++i)
    for (int64_t d = 0; d < round_up(D, 32); d += 16, to += 16)
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                          i < rows ? load16(x + i * stride + d, D - d) : _mm256_setzero_si256());
}

void store_rows(const float* x, int64_t width, int64_t rows, int64_t D, uint16_t* to,
                int64_t stride) {
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t d = 0; d < D; d += 16)
      _mm256_mask_storeu_epi16(to + i * stride + d, first_lanes(D - d),
                               to_bf16(Avx512::load(x + i * width + d)));
}

// Scratch in the order of use; every piece is a multiple of 64 bytes.
struct Pieces {
  char* next;
  template <typename T>
  T* take(int64_t n) {
    T* piece = reinterpret_cast<T*>(next);
    next += n * static_cast<int64_t>(sizeof(T));
    return piece;
  }
};

// --- forward ------------------------------------------------------------------------------------

constexpr int64_t kRows = 32;  // rows per pass of the forward kernel

struct ForwardRows {
  float m[kRows];  // in units of log2
  float l[kRows * kLanes];
  float* o;  // [kRows, width]
  int64_t width;
};

// One row of scores becomes probabilities relative to the row's new maximum, in bf16.
void soften(const float* s, int64_t visible, float scale, ForwardRows& rows, int64_t i,
            uint16_t* p) {
  if (visible <= 0) {
    for (int j = 0; j < 2; ++j) _mm512_storeu_si512(p + 32 * j, _mm512_setzero_si512());
    return;
  }
  const __m512 lowest = _mm512_set1_ps(-INFINITY), factor = _mm512_set1_ps(scale * kLog2e);
  __m512 x[4];
  for (int j = 0; j < 4; ++j)
    x[j] =
        _mm512_mask_mul_ps(lowest, first_lanes(visible - 16 * j), Avx512::load(s + 16 * j), factor);
  const float top =
      Avx512::reduce_max(_mm512_max_ps(_mm512_max_ps(x[0], x[1]), _mm512_max_ps(x[2], x[3])));
  __m512 l = Avx512::load(rows.l + i * kLanes);
  if (top > rows.m[i]) {
    const __m512 shrink =
        exp2(_mm512_max_ps(_mm512_set1_ps(rows.m[i] - top), _mm512_set1_ps(-1000.0f)));
    float* o = rows.o + i * rows.width;
    for (int64_t d = 0; d < rows.width; d += 16)
      Avx512::store(o + d, _mm512_mul_ps(Avx512::load(o + d), shrink));
    l = _mm512_mul_ps(l, shrink);
    rows.m[i] = top;
  }
  const __m512 shift = _mm512_set1_ps(rows.m[i]);
  for (int j = 0; j < 4; ++j) {
    const __mmask16 seen = first_lanes(visible - 16 * j);
    const __m512 y = _mm512_maskz_mov_ps(seen, exp2(_mm512_sub_ps(x[j], shift)));
    l = _mm512_add_ps(l, y);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 16 * j), to_bf16(y));
  }
  Avx512::store(rows.l + i * kLanes, l);
}

int64_t most_visible(const int32_t* visible, int64_t n) {
  int64_t most = 0;
  for (int64_t i = 0; i < n; ++i) most = visible[i] > most ? visible[i] : most;
  return most;
}

void forward_rows(const TileForward& f, int64_t first, int64_t count) {
  const int64_t depth = round_up(f.D, 32), width = round_up(f.D, 16), row_tiles = tiles(count, 16);
  Pieces pieces{static_cast<char*>(f.scratch)};
  auto* q = pieces.take<uint16_t>(kRows * depth);
  auto* s = pieces.take<float>(kRows * kBlock);
  auto* p = pieces.take<uint16_t>(kRows * kBlock);
  ForwardRows rows;
  rows.o = pieces.take<float>(kRows * width);
  rows.width = width;
  load_rows(f.q + first * f.stride, f.stride, count, kRows, f.D, q);
  memset(rows.o, 0, static_cast<size_t>(kRows * width) * sizeof(float));
  memset(rows.l, 0, sizeof rows.l);
  for (float& m : rows.m) m = -INFINITY;
  memset(p, 0, static_cast<size_t>(kRows * kBlock) * sizeof(uint16_t));

  const int32_t* visible = f.visible + first;
  const int64_t most = most_visible(visible, count);
  for (int64_t cell = 0; cell < most; cell += kBlock) {
    const int64_t block = cell / kBlock, here = least(kBlock, most - cell);
    tile_product(row_tiles, tiles(here, 16), depth / 32, {q, depth * 2},
                 {f.keys + block * score_block(f.D), kBlock * 4}, s, kBlock * 4, false);
    for (int64_t i = 0; i < count; ++i)
      soften(s + i * kBlock, visible[i] - cell, f.scale, rows, i, p + i * kBlock);
    tile_product(row_tiles, width / 16, tiles(here, 32), {p, kBlock * 2},
                 {f.values + block * sum_block(f.D), width * 4}, rows.o, width * 4, true);
  }
  for (int64_t i = 0; i < count; ++i) {
    const float sum = _mm512_reduce_add_ps(Avx512::load(rows.l + i * kLanes));
    const __m512 inverse = _mm512_set1_ps(visible[i] > 0 ? 1.0f / sum : 0.0f);
    float* o = rows.o + i * width;
    for (int64_t d = 0; d < width; d += 16)
      Avx512::store(o + d, _mm512_mul_ps(Avx512::load(o + d), inverse));
    f.lse[(first + i) * f.lse_stride] = visible[i] > 0 ? rows.m[i] * kLn2 + logf(sum) : -INFINITY;
  }
  store_rows(rows.o, width, count, f.D, f.out + first * f.stride, f.stride);
}

void forward(const TileForward& f) {
  configure_tiles();
  for (int64_t first = 0; first < f.rows; first += kRows)
    forward_rows(f, first, least(kRows, f.rows - first));
  _tile_release();
}

// --- backward -----------------------------------------------------------------------------------

struct BackwardRows {
  uint16_t *q, *dout;      // [kBlock, depth]
  uint16_t *qt, *doutt;    // [width, kBlock], transposed
  float *s, *dp;           // [kBlock, kBlock]
  uint16_t *p, *ds_pairs;  // pairs of rows, [kBlock / 2, kBlock, 2]
  uint16_t* ds;            // [kBlock, kBlock]
  float* dq;               // [kBlock, width]
  float lse[kBlock], delta[kBlock];
};

// [kBlock, depth] to [width, kBlock].
void transpose_rows(const uint16_t* x, int64_t depth, int64_t width, uint16_t* to) {
  for (int64_t d = 0; d < width; d += 16)
    for (int64_t i = 0; i < kBlock; i += 32) {
      __m512 r[16];
      for (int64_t k = 0; k < 16; ++k) {
        const uint16_t* row = x + (i + 2 * k) * depth + d;
        r[k] = _mm512_castsi512_ps(pairs(load16(row, 16), load16(row + depth, 16)));
      }
      store_transposed(r, to + d * kBlock + i, kBlock / 2);
    }
}

// Scores and dp of one row to (p, ds) of 16 columns; columns that the row does not see become zero.
struct Columns {
  __m256i p, ds;
};
Columns differentiate(const BackwardRows& rows, int64_t i, int64_t j, int64_t visible,
                      float scale) {
  const __m512 x = _mm512_fmadd_ps(Avx512::load(rows.s + i * kBlock + j),
                                   _mm512_set1_ps(scale * kLog2e), _mm512_set1_ps(-rows.lse[i]));
  const __mmask16 seen = first_lanes(visible - j);
  const __m512 p = _mm512_maskz_mov_ps(seen, exp2(x));
  const __m512 g =
      _mm512_sub_ps(Avx512::load(rows.dp + i * kBlock + j), _mm512_set1_ps(rows.delta[i]));
  const __m512 ds = _mm512_maskz_mul_ps(seen, _mm512_mul_ps(p, g), _mm512_set1_ps(scale));
  return {to_bf16(p), to_bf16(ds)};
}

void differentiate_block(const BackwardRows& rows, const int32_t* visible, int64_t cell,
                         int64_t padded_rows, int64_t columns, float scale) {
  for (int64_t i = 0; i < padded_rows; i += 2)
    for (int64_t j = 0; j < columns; j += 16) {
      const Columns a = differentiate(rows, i, j, visible[i] - cell, scale);
      const Columns b = differentiate(rows, i + 1, j, visible[i + 1] - cell, scale);
      _mm512_storeu_si512(rows.p + i * kBlock + j * 2, pairs(a.p, b.p));
      _mm512_storeu_si512(rows.ds_pairs + i * kBlock + j * 2, pairs(a.ds, b.ds));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(rows.ds + i * kBlock + j), a.ds);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(rows.ds + (i + 1) * kBlock + j), b.ds);
    }
}

// delta = dout . out and the row's log-sum-exp in units of log2; rows of padding see nothing.
void load_statistics(const TileBackward& b, int64_t first, int64_t count, BackwardRows& rows) {
  for (int64_t i = 0; i < kBlock; ++i) {
    __m512 sum = _mm512_setzero_ps();
    for (int64_t d = 0; i < count && d < b.D; d += 16) {
      const int64_t at = (first + i) * b.stride + d;
      sum = _mm512_fmadd_ps(widen(load16(b.out + at, b.D - d)), widen(load16(b.dout + at, b.D - d)),
                            sum);
    }
    rows.delta[i] = _mm512_reduce_add_ps(sum);
    rows.lse[i] = i < count ? b.lse[(first + i) * b.lse_stride] * kLog2e : 0.0f;
  }
}

void backward_rows(const TileBackward& b, int64_t first, int64_t count) {
  const int64_t depth = round_up(b.D, 32), width = round_up(b.D, 16);
  const int64_t row_tiles = tiles(count, 16), row_steps = tiles(count, 32);
  Pieces pieces{static_cast<char*>(b.scratch)};
  BackwardRows rows;
  uint16_t** const row_pieces[] = {&rows.q, &rows.dout, &rows.qt, &rows.doutt};
  uint16_t** const pair_pieces[] = {&rows.p, &rows.ds_pairs, &rows.ds};
  for (uint16_t** x : row_pieces) *x = pieces.take<uint16_t>(kBlock * depth);
  rows.s = pieces.take<float>(kBlock * kBlock);
  rows.dp = pieces.take<float>(kBlock * kBlock);
  for (uint16_t** x : pair_pieces) *x = pieces.take<uint16_t>(kBlock * kBlock);
  rows.dq = pieces.take<float>(kBlock * width);

  load_rows(b.q + first * b.stride, b.stride, count, kBlock, b.D, rows.q);
  load_rows(b.dout + first * b.stride, b.stride, count, kBlock, b.D, rows.dout);
  transpose_rows(rows.q, depth, width, rows.qt);
  transpose_rows(rows.dout, depth, width, rows.doutt);
  load_statistics(b, first, count, rows);
  int32_t visible[kBlock] = {};
  memcpy(visible, b.visible + first, static_cast<size_t>(count) * sizeof(int32_t));
  memset(rows.dq, 0, static_cast<size_t>(kBlock * width) * sizeof(float));
  memset(rows.s, 0, static_cast<size_t>(kBlock * kBlock) * sizeof(float));
  memset(rows.dp, 0, static_cast<size_t>(kBlock * kBlock) * sizeof(float));

  const int64_t most = most_visible(visible, count);
  for (int64_t cell = 0; cell < most; cell += kBlock) {
    const int64_t block = cell / kBlock, here = least(kBlock, most - cell);
    const int64_t key_steps = tiles(here, 32), key_tiles = 2 * key_steps;
    const int64_t scores = block * score_block(b.D);
    float *dk = b.dk + block * width * kBlock, *dv = b.dv + block * width * kBlock;
    tile_product(row_tiles, key_tiles, depth / 32, {rows.q, depth * 2},
                 {b.keys + scores, kBlock * 4}, rows.s, kBlock * 4, false);
    tile_product(row_tiles, key_tiles, depth / 32, {rows.dout, depth * 2},
                 {b.values + scores, kBlock * 4}, rows.dp, kBlock * 4, false);
    differentiate_block(rows, visible, cell, row_steps * 32, key_tiles * 16, b.scale);
    tile_product(width / 16, key_tiles, row_steps, {rows.doutt, kBlock * 2}, {rows.p, kBlock * 4},
                 dv, kBlock * 4, true);
    tile_product(width / 16, key_tiles, row_steps, {rows.qt, kBlock * 2},
                 {rows.ds_pairs, kBlock * 4}, dk, kBlock * 4, true);
    tile_product(row_tiles, width / 16, key_steps, {rows.ds, kBlock * 2},
                 {b.key_rows + block * sum_block(b.D), width * 4}, rows.dq, width * 4, true);
  }
  store_rows(rows.dq, width, count, b.D, b.dq + first * b.stride, b.stride);
}

void backward(const TileBackward& b) {
  configure_tiles();
  for (int64_t first = 0; first < b.rows; first += kBlock)
    backward_rows(b, first, least(kBlock, b.rows - first));
  _tile_release();
}

}  // namespace

extern const TileKernels kKernels = {pack_scores, pack_sums, unpack, forward, backward};

}  // namespace bantam::cpu::attention::x86_amx
