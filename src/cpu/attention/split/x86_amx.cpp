#include "cpu/attention/vector_avx512.h"

#include <string.h>

#include "cpu/attention/kernels.h"
#include "cpu/attention/tile_product.h"
#include "cpu/attention/vector_kernels.h"

namespace bantam::cpu::attention::x86_amx {
namespace {

using Vectors = VectorKernels<Avx512>;
using Cache = CacheElements<Avx512>;

constexpr int64_t kRows = 32;  // query rows per pass: two tiles

// Cached numbers have few bits: high is cut off, and of most types low is exact; else it is
// rounded.
__m512i upper(__m512 x) {
  return _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(-65536));
}
__m512i rounded(__m512 x) {
  const __m512i up = _mm512_add_epi32(_mm512_castps_si512(x), _mm512_set1_epi32(0x8000));
  return upper(_mm512_castsi512_ps(up));
}
__m512i pair(__m512i a, __m512i b) {
  return _mm512_or_si512(_mm512_srli_epi32(a, 16), b);
}
void store_parts(__m512 a, __m512 b, uint16_t* high, int64_t to_low) {
  const __m512i ha = upper(a), hb = upper(b);
  const __m512 la = _mm512_sub_ps(a, _mm512_castsi512_ps(ha));
  const __m512 lb = _mm512_sub_ps(b, _mm512_castsi512_ps(hb));
  _mm512_storeu_si512(high, pair(ha, hb));
  _mm512_storeu_si512(high + to_low, pair(rounded(la), rounded(lb)));
}

template <Element E>
void pack_keys(const FewBlock& cached, uint16_t* to) {
  const int64_t D = cached.block.D, depth = round_up(D, 32), part = depth * kBlock;
  const auto* groups = static_cast<const char*>(cached.keys);
  for (int64_t first = 0; first < cached.block.count; first += kLanes) {
    uint16_t* column = to + first * 2;
    __m512 even = _mm512_setzero_ps();
    Cache::key_columns<E, 1>(groups + first / kLanes * cached.key_stride, cached.key_stride, D,
                             cached.keys_ahead, [&](int64_t d, int, __m512 v) {
                               if (d % 2 == 0) {
                                 even = v;
                               } else {
                                 store_parts(even, v, column + d / 2 * kBlock * 2, part);
                               }
                             });
    const __m512 zero = _mm512_setzero_ps();
    for (int64_t d = D; d < depth; d += 2) {
      store_parts(zero, zero, column + d / 2 * kBlock * 2, part);
    }
  }
}

template <Element E>
void pack_values(const FewBlock& cached, uint16_t* to) {
  const int64_t width = cached.block.Q, count = cached.block.count, part = kBlock * width;
  const int64_t bytes = element_bytes(E, cached.value_stride);
  const auto* cells = static_cast<const char*>(cached.values);
  const auto load = [&](int64_t c, int64_t e) {
    return c < count ? Cache::load<E>(cells + c * bytes, e) : _mm512_setzero_ps();
  };
  for (int64_t c = 0; c < round_up(count, 32); c += 2) {
    for (int64_t at = 0; c < count && at < 2 * bytes; at += Cache::kLine) {
      __builtin_prefetch(cells + c * bytes + at + cached.values_ahead);
    }
    for (int64_t e = 0; e < width; e += 16) {
      store_parts(load(c, e), load(c + 1, e), to + c * width + e * 2, part);
    }
  }
}

// 16 numbers to both parts, rounded.
void split(__m512 x, uint16_t* high, uint16_t* low) {
  const auto h = (__m256i)_mm512_cvtneps_pbh(x);
  const __m512 rest =
      _mm512_sub_ps(x, _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16)));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(high), h);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(low), (__m256i)_mm512_cvtneps_pbh(rest));
}

// Both parts of the left operand, row-major, and of the right one.
struct Left {
  const uint16_t *high, *low;
  int64_t stride;  // bytes
};
struct Right {
  const uint16_t* high;
  int64_t to_low, stride;
};
void product(int64_t rows, int64_t columns, int64_t depth, const Left& a, const Right& b, float* c,
             int64_t ldc, bool accumulate) {
  const Operand high{b.high, b.stride};
  tile_product(rows, columns, depth, {a.high, a.stride}, high, c, ldc, accumulate);
  tile_product(rows, columns, depth, {a.high, a.stride}, {b.high + b.to_low, b.stride}, c, ldc,
               true);
  tile_product(rows, columns, depth, {a.low, a.stride}, high, c, ldc, true);
}

void split_queries(const ForwardBlock& f, int64_t first, int64_t rows, uint16_t* high,
                   uint16_t* low) {
  const int64_t depth = round_up(f.D, 32);
  for (int64_t i = 0; i < round_up(rows, 16); ++i) {
    for (int64_t d = 0; d < depth; d += 16, high += 16, low += 16) {
      const bool there = i < rows && d < f.P;
      split(there ? Avx512::load(f.q + (first + i) * f.P + d) : _mm512_setzero_ps(), high, low);
    }
  }
}

// Scores of a row become probabilities, zero where it does not look.
void soften(const ForwardBlock& f, int64_t i, float* s, uint16_t* high, uint16_t* low) {
  const int64_t visible = f.visible[i];
  if (visible > 0) Vectors::soften(f, i, s);
  for (int64_t j = 0; j < kBlock; j += 16) {
    split(j < visible ? Avx512::load(s + j) : _mm512_setzero_ps(), high + j, low + j);
  }
}

void forward_rows(const ForwardBlock& f, int64_t first, int64_t rows, int64_t most) {
  const int64_t depth = round_up(f.D, 32), row_tiles = tiles(rows, 16);
  alignas(64) uint16_t q[2][kRows * kMostSplitWidth], p[2][kRows * kBlock];
  alignas(64) float s[kRows * kBlock], sums[kRows * kMostSplitWidth];
  const auto* keys = reinterpret_cast<const uint16_t*>(f.kt);
  const auto* values = reinterpret_cast<const uint16_t*>(f.v);
  split_queries(f, first, rows, q[0], q[1]);
  product(row_tiles, tiles(most, 16), depth / 32, {q[0], q[1], depth * 2},
          {keys, depth * kBlock, kBlock * 4}, s, kBlock * 4, false);
  memset(p, 0, sizeof p);
  for (int64_t i = 0; i < rows; ++i) {
    soften(f, first + i, s + i * kBlock, p[0] + i * kBlock, p[1] + i * kBlock);
  }
  // Tiles are 16 rows; those of which some are not there are summed up aside.
  float* o = f.o + first * f.Q;
  const bool whole = rows % 16 == 0;
  const auto bytes = static_cast<size_t>(rows * f.Q) * sizeof(float);
  if (!whole) memcpy(sums, o, bytes);
  product(row_tiles, f.Q / 16, tiles(most, 32), {p[0], p[1], kBlock * 2},
          {values, kBlock * f.Q, f.Q * 4}, whole ? o : sums, f.Q * 4, true);
  if (!whole) memcpy(o, sums, bytes);
}

void forward(const ForwardBlock& f) {
  configure_tiles();
  for (int64_t first = 0; first < f.rows; first += kRows) {
    const int64_t rows = f.rows - first < kRows ? f.rows - first : kRows;
    int64_t most = 0;
    for (int64_t i = 0; i < rows; ++i) {
      if (f.visible[first + i] > most) most = f.visible[first + i];
    }
    if (most > 0) forward_rows(f, first, rows, most);
  }
  _tile_release();
}

}  // namespace

extern const SplitKernels kSplitKernels = {
    {nullptr, pack_keys<Element::f16>, pack_keys<Element::bf16>, pack_keys<Element::q8_0>,
     pack_keys<Element::q4_0>},
    {nullptr, pack_values<Element::f16>, pack_values<Element::bf16>, pack_values<Element::q8_0>,
     pack_values<Element::q4_0>},
    forward};

}  // namespace bantam::cpu::attention::x86_amx
