#pragma once

// Keys and values as caches store them, read as floats by the vectors V of an instruction set. Of V
// also: signed_byte<shift>(p), nibble<shift>(p): the byte, or four bits less 8, at `shift` of
// kWidth dwords; bytes(p): kWidth signed bytes; nibbles<shift>(p): four bits less 8 of kWidth
// bytes.

#include <string.h>

#include "base/half.h"
#include "cpu/attention/attention.h"

namespace bantam::cpu::attention {

template <class V>
struct CacheElements {
  using Reg = typename V::Reg;
  static constexpr int W = V::kWidth;
  static constexpr int kBlockLength = 32;  // of q8_0 and q4_0

  // kWidth elements of rows, from element i on. Those of blocks do not cross a half of 16.
  template <Element E>
  static Reg load(const void* x, int64_t i) {
    if constexpr (E == Element::f32) return V::load(static_cast<const float*>(x) + i);
    if constexpr (E == Element::f16) return V::load_f16(static_cast<const uint16_t*>(x) + i);
    if constexpr (E == Element::bf16) return V::load_bf16(static_cast<const uint16_t*>(x) + i);
    if constexpr (E == Element::q8_0 || E == Element::q4_0) {
      const auto* block = static_cast<const uint8_t*>(x) + element_bytes(E, i - i % kBlockLength);
      const auto at = static_cast<int>(i % kBlockLength);
      uint16_t half;
      memcpy(&half, block, sizeof half);
      const Reg d = V::set1(f16_to_float(half));
      if constexpr (E == Element::q8_0) return V::mul(d, V::bytes(block + 2 + at));
      const Reg q = at < 16 ? V::template nibbles<0>(block + 2 + at)
                            : V::template nibbles<4>(block + 2 + at - 16);
      return V::mul(d, q);
    }
  }

  // column(d, row) for each d of a group [D, kLanes]; row: kLanes cells in vectors.
  template <Element E, class Column>
  static void key_columns(const void* group, int64_t D, Column&& column) {
    constexpr int NV = kLanes / W;
    Reg row[NV];
    if constexpr (E == Element::q8_0 || E == Element::q4_0) {
      const int64_t bytes = element_bytes(E, kLanes * kBlockLength);
      const auto* block = static_cast<const uint8_t*>(group);
      for (int64_t first = 0; first < D; first += kBlockLength, block += bytes) {
        Reg d[NV];
        for (int j = 0; j < NV; ++j) {
          d[j] = V::load_f16(reinterpret_cast<const uint16_t*>(block) + j * W);
        }
        block_columns<E>(block + 2 * kLanes, [&](int i, const Reg* q) {
          for (int j = 0; j < NV; ++j) row[j] = V::mul(d[j], q[j]);
          column(first + i, row);
        });
      }
    } else {
      for (int64_t d = 0; d < D; ++d) {
        for (int j = 0; j < NV; ++j) row[j] = load<E>(group, d * kLanes + j * W);
        column(d, row);
      }
    }
  }

 private:
  // The integers of 16 interleaved blocks, p: after their scales. In order.
  template <Element E, class Column>
  static void block_columns(const uint8_t* p, Column&& column) {
    constexpr int kDwords = E == Element::q8_0 ? 8 : 4;
    for (int i = 0; i < kDwords; ++i) four<E, 0>(p + 4 * kLanes * i, 4 * i, column);
    if constexpr (E == Element::q4_0) {
      for (int i = 0; i < kDwords; ++i) four<E, 4>(p + 4 * kLanes * i, 16 + 4 * i, column);
    }
  }
  template <Element E, int kShift, class Column>
  static void four(const uint8_t* p, int i, Column&& column) {
    one<E, kShift>(p, i, column);
    one<E, kShift + 8>(p, i + 1, column);
    one<E, kShift + 16>(p, i + 2, column);
    one<E, kShift + 24>(p, i + 3, column);
  }
  template <Element E, int kShift, class Column>
  static void one(const uint8_t* p, int i, Column&& column) {
    Reg q[kLanes / W];
    for (int j = 0; j < kLanes / W; ++j) {
      if constexpr (E == Element::q8_0) {
        q[j] = V::template signed_byte<kShift>(p + 4 * W * j);
      } else {
        q[j] = V::template nibble<kShift>(p + 4 * W * j);
      }
    }
    column(i, q);
  }
};

}  // namespace bantam::cpu::attention
