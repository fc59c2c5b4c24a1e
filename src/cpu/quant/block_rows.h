#pragma once

// Where the formats (formats.h) read one block of V::kRows rows from. At offset o in the block:
//
//   columns<bytes>(o, out)   out[j] lane r = bytes o + 4j .. o + 4j + 3 of row r
//   dword(o), half(o)        four bytes, as they are; two, as a float
//   byte(o, r)               one byte of row r

#include <stdint.h>

#include "cpu/quant/formats.h"
#include "tensor/blocks.h"

namespace bantam::cpu::quant {

// Rows that follow each other, `stride` bytes apart; p: the block of the first.
template <class V>
struct PlainRows {
  const uint8_t* p;
  int64_t stride;

  template <int kBytes>
  [[gnu::always_inline]] inline void columns(int o, typename V::Ints* out) const {
    V::template columns<kBytes>(p + o, stride, out);
  }
  [[gnu::always_inline]] inline typename V::Ints dword(int o) const {
    return V::dword(p + o, stride);
  }
  // Not past the block's end.
  [[gnu::always_inline]] inline typename V::Floats half(int o) const {
    return o < 2 ? V::half_low(dword(o)) : V::half_high(dword(o - 2));
  }
  [[gnu::always_inline]] inline uint8_t byte(int o, int r) const { return p[r * stride + o]; }
};

// One stream of weights for each thread is more than hardware fetches ahead of by itself, and a few
// rows of activations leave no time to wait for it. p: blocks of 16 interleaved rows.
template <class F>
[[gnu::always_inline]] static inline void fetch_ahead(const uint8_t* p) {
  constexpr int kAhead = 2048;
  for (int at = 0; at < kRowGroup * F::kBytes; at += 64) __builtin_prefetch(p + kAhead + at);
}

// Rows first .. first + kRows - 1 of 16 interleaved ones (tensor/layout.h); p: their blocks.
template <class V>
struct InterleavedRows {
  const uint8_t* p;
  int first;

  template <int kBytes>
  [[gnu::always_inline]] inline void columns(int o, typename V::Ints* out) const {
    for (int j = 0; j < kBytes / 4; ++j) out[j] = dword(o + 4 * j);
  }
  [[gnu::always_inline]] inline typename V::Ints dword(int o) const {
    return V::load(p + kRowGroup * o + 4 * first);
  }
  [[gnu::always_inline]] inline typename V::Floats half(int o) const {
    return V::load_halves(p + kRowGroup * o + 2 * first);
  }
  [[gnu::always_inline]] inline uint8_t byte(int o, int r) const {
    return p[kRowGroup * o + first + r];
  }
};

}  // namespace bantam::cpu::quant
