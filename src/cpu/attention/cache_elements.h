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
  static constexpr int kBlockLength = 32;      // of q8_0 and q4_0
  static constexpr int kLine = 64;             // bytes
  static constexpr int kVectors = kLanes / W;  // of a group's cells

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

  // column(d, j, x) for each d of G groups [D, kLanes], `stride` bytes apart, and each vector j of
  // their G kLanes cells. What lies `ahead` bytes further is fetched meanwhile, line by line: a
  // burst would fill the queues for misses, and nothing be computed until they are empty.
  template <Element E, int G, class Column>
  static void key_columns(const void* groups, int64_t stride, int64_t D, int64_t ahead,
                          Column&& column) {
    const auto* first = static_cast<const uint8_t*>(groups);
    if constexpr (E == Element::q8_0 || E == Element::q4_0) {
      const int64_t bytes = element_bytes(E, kLanes * kBlockLength);
      for (int64_t d = 0; d < D; d += kBlockLength, first += bytes) {
        Reg scale[G * kVectors];
        for (int j = 0; j < G * kVectors; ++j) {
          const uint8_t* group = first + j / kVectors * stride;
          scale[j] = V::load_f16(reinterpret_cast<const uint16_t*>(group) + j % kVectors * W);
        }
        block_columns<E, G>(first + 2 * kLanes, stride, [&](int i, int j, Reg q) {
          if (j % kVectors == 0 && i % 4 == 0)
            __builtin_prefetch(first + j / kVectors * stride + kLine * (i / 4) + ahead);
          column(d + i, j, V::mul(scale[j], q));
        });
      }
    } else {
      constexpr int kPerLine = E == Element::f32 ? 1 : 2;  // columns of kLanes elements
      for (int64_t d = 0; d < D; ++d) {
        for (int j = 0; j < G * kVectors; ++j) {
          const uint8_t* group = first + j / kVectors * stride;
          if (j % kVectors == 0 && d % kPerLine == 0)
            __builtin_prefetch(group + element_bytes(E, d * kLanes) + ahead);
          column(d, j, load<E>(group, d * kLanes + j % kVectors * W));
        }
      }
    }
  }

 private:
  // The integers of G times 16 interleaved blocks, p: after their scales. In order.
  template <Element E, int G, class Column>
  static void block_columns(const uint8_t* p, int64_t stride, Column&& column) {
    constexpr int kDwords = E == Element::q8_0 ? 8 : 4;
    for (int i = 0; i < kDwords; ++i) four<E, G, 0>(p + 4 * kLanes * i, stride, 4 * i, column);
    if constexpr (E == Element::q4_0) {
      for (int i = 0; i < kDwords; ++i)
        four<E, G, 4>(p + 4 * kLanes * i, stride, 16 + 4 * i, column);
    }
  }
  template <Element E, int G, int kShift, class Column>
  static void four(const uint8_t* p, int64_t stride, int i, Column&& column) {
    one<E, G, kShift>(p, stride, i, column);
    one<E, G, kShift + 8>(p, stride, i + 1, column);
    one<E, G, kShift + 16>(p, stride, i + 2, column);
    one<E, G, kShift + 24>(p, stride, i + 3, column);
  }
  template <Element E, int G, int kShift, class Column>
  static void one(const uint8_t* p, int64_t stride, int i, Column&& column) {
    for (int j = 0; j < G * kVectors; ++j) {
      const uint8_t* dwords = p + j / kVectors * stride + 4 * W * (j % kVectors);
      if constexpr (E == Element::q8_0) {
        column(i, j, V::template signed_byte<kShift>(dwords));
      } else {
        column(i, j, V::template nibble<kShift>(dwords));
      }
    }
  }
};

}  // namespace bantam::cpu::attention
