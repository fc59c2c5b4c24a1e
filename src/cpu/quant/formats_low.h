#pragma once

// The formats with evenly spaced levels that follow tensor/unpack.h; see cpu/quant/formats.h. They
// need a few operations more of V:
//
//   V::bits(v, first)     byte i: 0xff where bit first + i of the lane is set (first: 0, 4, .. 28)
//   V::at_least(v, x)     byte i: 0xff where byte i is at least x, unsigned
//   V::bytes(x), V::add_bytes(a, b), V::sub_bytes(a, b), V::differ(a, b)   the last: exclusive or

#include "cpu/quant/formats.h"

namespace bantam::cpu::quant {

// Nibbles with a fifth bit each.
template <class V, class Rows>
BANTAM_QUANT_INLINE void five_bits(const Rows& in, int q, int high, typename V::Ints* w) {
  const typename V::Ints top = in.dword(high);
  in.template columns<16>(q, w);
  for (int j = 0; j < 4; ++j) {
    const typename V::Ints both = w[j];
    w[j] = V::either(Nibbles<V>::low(both), V::and_bytes(V::bits(top, 4 * j), 16));
    w[j + 4] = V::either(Nibbles<V>::high(both), V::and_bytes(V::bits(top, 4 * j + 16), 16));
  }
}

template <class V>
struct FormatQ5_0 : PlainGroup<V, 31, 16> {
  static constexpr int kGroups = 1, kBytes = sizeof(BlockQ5_0);

  template <class Rows, class Sink>
  BANTAM_QUANT_INLINE void unpack(const Rows& in, Sink&& sink) {
    typename V::Ints w[8];
    five_bits<V>(in, 6, 2, w);
    sink(0, w, in.half(0));
  }
};

template <class V>
struct FormatQ5_1 {
  using Ints = typename V::Ints;
  using Floats = typename V::Floats;
  struct Scales {
    Floats d, m;
  };
  static constexpr int kGroups = 1, kBytes = sizeof(BlockQ5_1), kSums = 1;
  static constexpr int kMax = 31, kOffset = 0;

  template <class Rows, class Sink>
  BANTAM_QUANT_INLINE void unpack(const Rows& in, Sink&& sink) {
    Ints w[8];
    five_bits<V>(in, 8, 4, w);
    const Ints both = in.dword(0);
    sink(0, w, Scales{V::half_low(both), V::half_high(both)});
  }
  BANTAM_QUANT_INLINE void dot(const Ints* w, const int8_t* x, Ints* isum) {
    isum[0] = V::template dot<kMax, 8>(w, x);
  }
  template <class X>
  BANTAM_QUANT_INLINE Floats finish(const Ints* isum, const Scales& s, const X& x, Floats acc) {
    acc = V::fma(V::convert(isum[0]), V::mul(s.d, V::set1(x.d)), acc);
    return V::fma(s.m, V::set1(scaled_sum(x)), acc);
  }
};

template <class V>
struct FormatQ2_K : HalvedGroup<V, 3, 0> {
  using Ints = typename V::Ints;
  using Floats = typename V::Floats;
  struct Scales {
    HalfScales<V> d;
    Floats m[2];
  };
  static constexpr int kGroups = 8, kBytes = sizeof(BlockQ2_K);

  BANTAM_QUANT_INLINE Floats nibble(Ints v) { return V::convert(V::and_ints(v, 15)); }

  template <class Rows, class Sink>
  BANTAM_QUANT_INLINE void unpack(const Rows& in, Sink&& sink) {
    const Ints both = in.dword(80);
    const Floats d = V::half_low(both), dmin = V::half_high(both);
    Ints packed[4];  // the scales of two groups each
    in.template columns<16>(0, packed);
    for (int half = 0; half < 2; ++half) {
      Ints raw[8], w[8];
      in.template columns<32>(16 + 32 * half, raw);
      for (int t = 0; t < 4; ++t) {
        const Ints four = packed[2 * half + t / 2];
        const Ints two = t % 2 ? V::template srl<16>(four) : four;
        const Scales s{{d, nibble(two), nibble(V::template srl<8>(two))},
                       {V::mul(dmin, nibble(V::template srl<4>(two))),
                        V::mul(dmin, nibble(V::template srl<12>(two)))}};
        for (int j = 0; j < 8; ++j) {
          w[j] = V::and_bytes(raw[j], 3);
          raw[j] = V::template srl<2>(raw[j]);
        }
        sink(4 * half + t, w, s);
      }
    }
  }
  template <class X>
  BANTAM_QUANT_INLINE Floats finish(const Ints* isum, const Scales& s, const X& x, Floats acc) {
    Floats sum = s.d.scaled(V::convert(isum[0]), V::convert(isum[1]));
    for (int h = 0; h < 2; ++h) sum = V::fnma(s.m[h], V::set1(half_sum(x, h)), sum);
    return V::fma(sum, V::set1(x.d), acc);
  }
};

template <class V>
struct FormatQ3_K : HalvedGroup<V, 7, 4> {
  using Ints = typename V::Ints;
  using Floats = typename V::Floats;
  using Scales = typename HalvedGroup<V, 7, 4>::Scales;
  static constexpr int kGroups = 8, kBytes = sizeof(BlockQ3_K);

  // Six bits less 32, from the lowest byte.
  BANTAM_QUANT_INLINE Floats scale(Ints v) {
    return V::convert(V::sub(V::and_ints(v, 63), V::set1(32)));
  }
  // The scales of two groups each, a byte each.
  template <class Rows>
  BANTAM_QUANT_INLINE void scales(const Rows& in, Ints* packed) {
    Ints low[2] = {in.dword(96), in.dword(100)}, high = in.dword(104);
    for (int i = 0; i < 4; ++i) {
      const Ints four = V::and_bytes(low[i % 2], 15);
      packed[i] = V::either(four, V::and_bytes(V::template sll<4>(high), 48));
      high = V::template srl<2>(high);
      low[i % 2] = V::template srl<4>(low[i % 2]);
    }
  }

  template <class Rows, class Sink>
  BANTAM_QUANT_INLINE void unpack(const Rows& in, Sink&& sink) {
    const Floats d = in.half(108);
    Ints packed[4], top[8];  // bit 0 of each byte of top: the third bit of the next group
    scales(in, packed);
    in.template columns<32>(0, top);
    for (int half = 0; half < 2; ++half) {
      Ints raw[8], w[8];
      in.template columns<32>(32 + 32 * half, raw);
      for (int t = 0; t < 4; ++t) {
        for (int j = 0; j < 8; ++j) {
          w[j] = V::either(V::and_bytes(raw[j], 3), V::and_bytes(V::template sll<2>(top[j]), 4));
          raw[j] = V::template srl<2>(raw[j]);
          top[j] = V::template srl<1>(top[j]);
        }
        const Ints four = packed[2 * half + t / 2];
        const Ints two = t % 2 ? V::template srl<16>(four) : four;
        sink(4 * half + t, w, Scales{d, scale(two), scale(V::template srl<8>(two))});
      }
    }
  }
};

template <class V>
struct FormatTQ2_0 : PlainGroup<V, 3, 1> {
  static constexpr int kGroups = 8, kBytes = sizeof(BlockTQ2_0);

  template <class Rows, class Sink>
  BANTAM_QUANT_INLINE void unpack(const Rows& in, Sink&& sink) {
    const auto d = in.half(64);
    for (int half = 0; half < 2; ++half) {
      typename V::Ints raw[8], w[8];
      in.template columns<32>(32 * half, raw);
      for (int t = 0; t < 4; ++t) {
        for (int j = 0; j < 8; ++j) {
          w[j] = V::and_bytes(raw[j], 3);
          raw[j] = V::template srl<2>(raw[j]);
        }
        sink(4 * half + t, w, d);
      }
    }
  }
};

template <class V>
struct FormatTQ1_0 : PlainGroup<V, 3, 1> {
  using Ints = typename V::Ints;
  static constexpr int kGroups = 8, kBytes = sizeof(BlockTQ1_0);

  // The first trit of each byte, the integer part of 3 b / 256; b is left with the others.
  BANTAM_QUANT_INLINE Ints next_trit(Ints& b) {
    const Ints none = V::bytes(0);
    const Ints trit = V::sub_bytes(V::sub_bytes(none, V::at_least(b, 86)), V::at_least(b, 171));
    b = V::add_bytes(b, V::add_bytes(b, b));
    return trit;
  }

  template <class Rows, class Sink>
  BANTAM_QUANT_INLINE void unpack(const Rows& in, Sink&& sink) {
    const auto d = in.half(52);
    Ints raw[8], w[8];
    in.template columns<32>(0, raw);
    for (int g = 0; g < 5; ++g) {
      for (int j = 0; j < 8; ++j) w[j] = next_trit(raw[j]);
      sink(g, w, d);
    }
    in.template columns<16>(32, raw);
    Ints last = in.dword(48);
    for (int g = 5; g < 8; ++g) {
      for (int j = 0; j < 4; ++j) w[j] = next_trit(raw[j]);
      for (int j = 0; j < 4; ++j) w[j + 4] = next_trit(g < 7 ? raw[j] : last);
      sink(g, w, d);
    }
  }
};

}  // namespace bantam::cpu::quant
