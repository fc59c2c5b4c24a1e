#pragma once

// Sixteen float lanes, whatever the width of the registers: what kernels are written over, once, to
// give the same bits on every instruction set.
//
// Each x86_*.h, arm_*.h and scalar.h here defines `Lanes` in a namespace of its instruction set:
//   F, I                        sixteen floats, sixteen 32-bit integers
//   load(p), store(p, F)        from and to float, Bf16 (rounds to nearest even) and F16 memory
//   set, add, sub, mul, div, sqrt, fma    correctly rounded; fma(a, b, c) = a b + c
//   max, min                    a > b ? a : b and a < b ? a : b, hence b if either is NaN
//   sum, largest                over the lanes as a tree: j with j + 8, j + 4, j + 2, j + 1
//   swap_pairs                  lanes 2i and 2i + 1 change places
//   seti, iota, addi, subi, muli, xori, shift_left<n>, shift_right<n> (logical), halve (>> 1,
//   arithmetic), as_int, as_float (bits), keep(x, a, b) = a >= b (signed) ? x : 0
//
// Kernels are templates over L, so that what is compiled for one instruction set has a name of its
// own: a helper here that is not a template over L would leak from AVX-512 files into the rest.

#include <stdint.h>
#include <string.h>

namespace bantam::cpu {

// What 16-bit memory holds, as types to overload on.
struct Bf16 {
  uint16_t bits;
};
struct F16 {
  uint16_t bits;
};

inline constexpr int kLanes = 16;

// A whole block of 16, where a tail has a count.
struct All {};

template <class L, class T>
inline typename L::F load(const T* p, All) {
  return L::load(p);
}

// Missing elements are zero.
template <class L, class T>
inline typename L::F load(const T* p, int n) {
  T block[kLanes] = {};
  memcpy(block, p, static_cast<size_t>(n) * sizeof(T));
  return L::load(block);
}

template <class L, class T>
inline void store(T* p, typename L::F v, All) {
  L::store(p, v);
}

template <class L, class T>
inline void store(T* p, typename L::F v, int n) {
  T block[kLanes];
  L::store(block, v);
  memcpy(p, block, static_cast<size_t>(n) * sizeof(T));
}

// Calls body(i, All) for each whole block at i of n elements, then body(i, count) for the tail.
template <class L, class Body>
[[gnu::always_inline]] inline void for_blocks(int64_t n, Body body) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) body(i, All{});
  if (i < n) body(i, static_cast<int>(n - i));
}

}  // namespace bantam::cpu
