#pragma once

// The formats whose levels come from tables; see cpu/quant/formats_low.h. Further operations of V:
//
//   V::lookup(values, v)         byte i: values[byte i of v], below 16
//   V::floats(f)                 lane r: f(r)
//   V::quartet(table, index)     lane r: table[lane r of index]
//   V::octet(table, index, out)  the same for entries of 8 bytes: out[0] their lower halves

#include "cpu/quant/formats_low.h"

namespace bantam::cpu::quant {

// Levels that need a sign.
template <class V>
struct TableGroup : SignedGroup<V> {
  using Ints = typename V::Ints;
  using Floats = typename V::Floats;
  BANTAM_QUANT_INLINE void levels(const Ints* packed, Ints* w) {
    for (int j = 0; j < 4; ++j) {
      w[j] = V::lookup(kValuesIq4, Nibbles<V>::low(packed[j]));
      w[j + 4] = V::lookup(kValuesIq4, Nibbles<V>::high(packed[j]));
    }
    V::prepare_signed(w);
  }
};

template <class V>
struct FormatIQ4_NL : TableGroup<V> {
  using Ints = typename V::Ints;
  using Floats = typename V::Floats;
  using Scales = Floats;
  static constexpr int kGroups = 1, kBytes = sizeof(BlockIQ4_NL);

  template <class Rows, class Sink>
  BANTAM_QUANT_INLINE void unpack(const Rows& in, Sink&& sink) {
    Ints raw[4], w[8];
    in.template columns<16>(2, raw);
    TableGroup<V>::levels(raw, w);
    sink(0, w, in.half(0));
  }
};

template <class V>
struct FormatIQ4_XS : TableGroup<V> {
  using Ints = typename V::Ints;
  using Floats = typename V::Floats;
  using Scales = Floats;
  static constexpr int kGroups = 8, kBytes = sizeof(BlockIQ4_XS);

  template <class Rows, class Sink>
  BANTAM_QUANT_INLINE void unpack(const Rows& in, Sink&& sink) {
    const Ints both = in.dword(0);
    const Floats d = V::half_low(both);
    Ints low = in.dword(4), high = V::template srl<16>(both);
    for (int c = 0; c < 4; ++c) {
      Ints raw[8], w[8];
      in.template columns<32>(8 + 32 * c, raw);
      for (int h = 0; h < 2; ++h) {
        TableGroup<V>::levels(raw + 4 * h, w);
        const Ints top = V::and_ints(V::template sll<4>(high), 48);
        const Ints scale = V::either(V::and_ints(low, 15), top);
        sink(2 * c + h, w, V::mul(d, V::convert(V::sub(scale, V::set1(32)))));
        low = V::template srl<4>(low);
        high = V::template srl<2>(high);
      }
    }
  }
};

template <class V>
struct FormatMXFP4 : PlainGroup<V, 31, 12> {
  using Ints = typename V::Ints;
  static constexpr int kGroups = 1, kBytes = sizeof(BlockMXFP4);

  BANTAM_QUANT_INLINE float power_of_two(uint32_t e) {  // 2^(e - 128)
    const uint32_t bits = e < 2 ? 0x00200000u << e : (e - 1) << 23;
    float x;
    __builtin_memcpy(&x, &bits, 4);
    return x;
  }

  template <class Rows, class Sink>
  BANTAM_QUANT_INLINE void unpack(const Rows& in, Sink&& sink) {
    Ints w[8];
    in.template columns<16>(1, w);
    for (int j = 0; j < 4; ++j) {
      w[j + 4] = V::lookup(kValuesMxfp4, Nibbles<V>::high(w[j]));
      w[j] = V::lookup(kValuesMxfp4, Nibbles<V>::low(w[j]));
    }
    for (int j = 0; j < 8; ++j) w[j] = V::add_bytes(w[j], V::bytes(12));
    sink(0, w, V::floats([&](int r) __attribute__((always_inline)) {
           return power_of_two(in.byte(0, r));
         }));
  }
};

// Four times seven signs at bits 0, 8, 16 and 24; bit 7 of each byte makes their number even.
template <class V>
BANTAM_QUANT_INLINE typename V::Ints eighth_signs(typename V::Ints seven) {
  using Ints = typename V::Ints;
  Ints odd = V::differ(seven, V::template srl<4>(seven));
  odd = V::differ(odd, V::template srl<2>(odd));
  odd = V::differ(odd, V::template srl<1>(odd));
  return V::either(seven, V::template sll<7>(V::and_bytes(odd, 1)));
}

// The same from seven signs at bits 0, 7, 14 and 21.
template <class V>
BANTAM_QUANT_INLINE typename V::Ints dense_signs(typename V::Ints v) {
  const typename V::Ints low =
      V::either(V::and_ints(v, 0x7f), V::and_ints(V::template sll<1>(v), 0x7f00));
  const typename V::Ints high = V::either(V::and_ints(V::template sll<2>(v), 0x7f0000),
                                          V::and_ints(V::template sll<3>(v), 0x7f000000));
  return eighth_signs<V>(V::either(low, high));
}

// Magnitudes to +-magnitude + offset; bit i of a lane of `signs` is the sign of element i.
template <class V>
BANTAM_QUANT_INLINE void apply_signs(typename V::Ints signs, char offset, typename V::Ints* w) {
  for (int j = 0; j < 8; ++j) {
    const typename V::Ints minus = V::bits(signs, 4 * j);
    w[j] = V::add_bytes(V::differ(w[j], minus), V::sub_bytes(V::bytes(offset), minus));
  }
}

// 2 s + 1 for the four bits from bit kFirst.
template <class V, int kFirst>
BANTAM_QUANT_INLINE typename V::Floats odd_scale(typename V::Ints v, int mask = 15) {
  if constexpr (kFirst > 0) v = V::template srl<kFirst>(v);
  const typename V::Ints scale = V::and_ints(v, mask);
  return V::convert(V::either(V::add_bytes(scale, scale), V::set1(1)));
}

// Byte i of each lane.
template <class V, int i>
BANTAM_QUANT_INLINE typename V::Ints byte_of(typename V::Ints v) {
  if constexpr (i > 0) v = V::template srl<8 * i>(v);
  return V::and_ints(v, 255);
}

// Four indices: the bytes of `low`, each with the bits of `mask` of `high` shifted to the left by
// kShift, kShift - kStep, and so on.
template <class V, int kShift, int kStep>
BANTAM_QUANT_INLINE void long_indices(typename V::Ints low, typename V::Ints high, int mask,
                                      typename V::Ints* index) {
  const auto with = [&](typename V::Ints byte, typename V::Ints top)
      __attribute__((always_inline)) {
    return V::either(byte, V::and_ints(top, mask));
  };
  index[0] = with(byte_of<V, 0>(low), shifted<V, kShift>(high));
  index[1] = with(byte_of<V, 1>(low), shifted<V, kShift - kStep>(high));
  index[2] = with(byte_of<V, 2>(low), shifted<V, kShift - 2 * kStep>(high));
  index[3] = with(byte_of<V, 3>(low), shifted<V, kShift - 3 * kStep>(high));
}

template <class V>
BANTAM_QUANT_INLINE void byte_indices(typename V::Ints low, typename V::Ints* index) {
  index[0] = byte_of<V, 0>(low);
  index[1] = byte_of<V, 1>(low);
  index[2] = byte_of<V, 2>(low);
  index[3] = byte_of<V, 3>(low);
}

template <class V, int kCount>
BANTAM_QUANT_INLINE void octets(const OctetGrid<kCount>& grid, const typename V::Ints* index,
                                typename V::Ints* w) {
  for (int i = 0; i < 4; ++i) V::octet(grid.entry, index[i], w + 2 * i);
}

template <class V, int kCount>
BANTAM_QUANT_INLINE void quartets(const QuartetGrid<kCount>& grid, const typename V::Ints* index,
                                  typename V::Ints* w) {
  for (int i = 0; i < 8; ++i) w[i] = V::quartet(grid.entry, index[i]);
}

template <class V>
struct FormatIQ2_XXS : PlainGroup<V, 86, 43> {
  using Ints = typename V::Ints;
  static constexpr int kGroups = 8, kBytes = sizeof(BlockIQ2_XXS);

  template <class Rows, class Sink>
  BANTAM_QUANT_INLINE void unpack(const Rows& in, Sink&& sink) {
    const auto d = V::mul(in.half(0), V::set1(0.125f));
    for (int c = 0; c < 4; ++c) {
      Ints both[4];  // indices, signs and scale of two groups
      in.template columns<16>(2 + 16 * c, both);
      for (int h = 0; h < 2; ++h) {
        Ints index[4], w[8];
        byte_indices<V>(both[2 * h], index);
        octets<V>(kGridIq2Xxs, index, w);
        apply_signs<V>(dense_signs<V>(both[2 * h + 1]), 43, w);
        sink(2 * c + h, w, V::mul(d, odd_scale<V, 28>(both[2 * h + 1])));
      }
    }
  }
};

template <class V>
struct FormatIQ2_XS : HalvedGroup<V, 86, 43> {
  using Ints = typename V::Ints;
  using Scales = typename HalvedGroup<V, 86, 43>::Scales;
  static constexpr int kGroups = 8, kBytes = sizeof(BlockIQ2_XS);

  // The upper seven bits of the four words in a and b.
  BANTAM_QUANT_INLINE Ints signs(Ints a, Ints b) {
    const Ints first = V::either(V::and_ints(V::template srl<9>(a), 0x7f),
                                 V::and_ints(V::template srl<17>(a), 0x7f00));
    const Ints second = V::either(V::and_ints(V::template sll<7>(b), 0x7f0000),
                                  V::and_ints(V::template srl<1>(b), 0x7f000000));
    return eighth_signs<V>(V::either(first, second));
  }

  template <class Rows, class Sink>
  BANTAM_QUANT_INLINE void unpack(const Rows& in, Sink&& sink) {
    const auto d = V::mul(in.half(0), V::set1(0.125f));
    Ints scales = in.dword(66);
    for (int c = 0; c < 4; ++c) {
      Ints words[4];  // of two groups
      in.template columns<16>(2 + 16 * c, words);
      for (int h = 0; h < 2; ++h) {
        const Ints a = words[2 * h], b = words[2 * h + 1];
        const Ints index[4] = {V::and_ints(a, 511), V::and_ints(V::template srl<16>(a), 511),
                               V::and_ints(b, 511), V::and_ints(V::template srl<16>(b), 511)};
        Ints w[8];
        octets<V>(kGridIq2Xs, index, w);
        apply_signs<V>(signs(a, b), 43, w);
        sink(2 * c + h, w, Scales{d, odd_scale<V, 0>(scales), odd_scale<V, 4>(scales)});
        scales = V::template srl<8>(scales);
      }
      if (c == 1) scales = in.dword(70);
    }
  }
};

template <class V>
struct FormatIQ2_S : HalvedGroup<V, 86, 43> {
  using Ints = typename V::Ints;
  using Scales = typename HalvedGroup<V, 86, 43>::Scales;
  static constexpr int kGroups = 8, kBytes = sizeof(BlockIQ2_S);

  template <class Rows, class Sink>
  BANTAM_QUANT_INLINE void unpack(const Rows& in, Sink&& sink) {
    const auto d = V::mul(in.half(0), V::set1(0.125f));
    for (int c = 0; c < 2; ++c) {
      Ints low[4], signs[4];
      in.template columns<16>(2 + 16 * c, low);
      in.template columns<16>(34 + 16 * c, signs);
      Ints high = in.dword(66 + 4 * c), scales = in.dword(74 + 4 * c);
      for (int t = 0; t < 4; ++t) {
        Ints index[4], w[8];
        long_indices<V, 8, 2>(low[t], high, 0x300, index);
        octets<V>(kGridIq2S, index, w);
        apply_signs<V>(signs[t], 43, w);
        sink(4 * c + t, w, Scales{d, odd_scale<V, 0>(scales), odd_scale<V, 4>(scales)});
        high = V::template srl<8>(high);
        scales = V::template srl<8>(scales);
      }
    }
  }
};

template <class V>
struct FormatIQ3_XXS : PlainGroup<V, 124, 62> {
  using Ints = typename V::Ints;
  static constexpr int kGroups = 8, kBytes = sizeof(BlockIQ3_XXS);

  template <class Rows, class Sink>
  BANTAM_QUANT_INLINE void unpack(const Rows& in, Sink&& sink) {
    const auto d = V::mul(in.half(0), V::set1(0.25f));
    for (int c = 0; c < 4; ++c) {
      Ints low[4];  // of two groups
      in.template columns<16>(2 + 16 * c, low);
      for (int h = 0; h < 2; ++h) {
        const Ints rest = in.dword(66 + 8 * c + 4 * h);
        Ints index[8], w[8];
        byte_indices<V>(low[2 * h], index);
        byte_indices<V>(low[2 * h + 1], index + 4);
        quartets<V>(kGridIq3Xxs, index, w);
        apply_signs<V>(dense_signs<V>(rest), 62, w);
        sink(2 * c + h, w, V::mul(d, odd_scale<V, 28>(rest)));
      }
    }
  }
};

template <class V>
struct FormatIQ3_S : PlainGroup<V, 31, 15> {
  using Ints = typename V::Ints;
  static constexpr int kGroups = 8, kBytes = sizeof(BlockIQ3_S);

  template <class Rows, class Sink>
  BANTAM_QUANT_INLINE void unpack(const Rows& in, Sink&& sink) {
    const auto d = in.half(0);
    Ints scales = in.dword(106), high = in.dword(66);
    for (int c = 0; c < 4; ++c) {
      Ints low[4];  // of two groups
      in.template columns<16>(2 + 16 * c, low);
      for (int h = 0; h < 2; ++h) {
        Ints index[8], w[8];
        long_indices<V, 8, 1>(low[2 * h], high, 0x100, index);
        long_indices<V, 4, 1>(low[2 * h + 1], high, 0x100, index + 4);
        quartets<V>(kGridIq3S, index, w);
        apply_signs<V>(in.dword(74 + 8 * c + 4 * h), 15, w);
        sink(2 * c + h, w, V::mul(d, odd_scale<V, 0>(scales)));
        high = V::template srl<8>(high);
        scales = V::template srl<4>(scales);
      }
      if (c == 1) high = in.dword(70);
    }
  }
};

// Grid entries, in eighths, plus one, or minus one where `minus` has all bits: from -9 to 9.
template <class V>
BANTAM_QUANT_INLINE void shift_octet(typename V::Ints minus, typename V::Ints* w) {
  const typename V::Ints shift = V::sub_bytes(V::bytes(10), V::and_bytes(minus, 2));
  for (int j = 0; j < 2; ++j) w[j] = V::add_bytes(w[j], shift);
}

template <class V>
struct FormatIQ1_S : PlainGroup<V, 31, 9> {
  using Ints = typename V::Ints;
  static constexpr int kGroups = 8, kBytes = sizeof(BlockIQ1_S);

  template <class Rows, class Sink>
  BANTAM_QUANT_INLINE void unpack(const Rows& in, Sink&& sink) {
    const auto d = V::mul(in.half(0), V::set1(0.125f));
    Ints high[4];  // of two groups each
    in.template columns<16>(34, high);
    for (int c = 0; c < 2; ++c) {
      Ints low[4];
      in.template columns<16>(2 + 16 * c, low);
      for (int t = 0; t < 4; ++t) {
        const Ints two = high[2 * c + t / 2];
        const Ints word = t % 2 ? V::template srl<16>(two) : two;
        Ints index[4], w[8];
        long_indices<V, 8, 3>(low[t], word, 0x700, index);
        octets<V>(kGridIq1, index, w);
        const Ints minus = V::template sra<31>(V::template sll<16>(word));
        for (int i = 0; i < 4; ++i) shift_octet<V>(minus, w + 2 * i);
        sink(4 * c + t, w, V::mul(d, odd_scale<V, 12>(word, 7)));
      }
    }
  }
};

template <class V>
struct FormatIQ1_M : HalvedGroup<V, 31, 9> {
  using Ints = typename V::Ints;
  using Floats = typename V::Floats;
  using Scales = typename HalvedGroup<V, 31, 9>::Scales;
  static constexpr int kGroups = 8, kBytes = sizeof(BlockIQ1_M);

  // The f16 in the top nibbles of the four words in a and b.
  BANTAM_QUANT_INLINE Floats scattered_half(Ints a, Ints b) {
    const Ints low = V::either(V::and_ints(V::template srl<12>(a), 0x000f),
                               V::and_ints(V::template srl<24>(a), 0x00f0));
    const Ints top = V::either(V::and_ints(V::template srl<4>(b), 0x0f00),
                               V::and_ints(V::template srl<16>(b), 0xf000));
    return V::half_low(V::either(low, top));
  }

  template <class Rows, class Sink>
  BANTAM_QUANT_INLINE void unpack(const Rows& in, Sink&& sink) {
    const Ints packed[2] = {in.dword(48), in.dword(52)};
    const Floats d = V::mul(scattered_half(packed[0], packed[1]), V::set1(0.125f));
    Ints high[4];  // of two groups each
    in.template columns<16>(32, high);
    for (int c = 0; c < 2; ++c) {
      Ints low[4];
      in.template columns<16>(16 * c, low);
      for (int t = 0; t < 4; ++t) {
        const Ints two = high[2 * c + t / 2];
        const Ints nibbles = t % 2 ? V::template srl<16>(two) : two;
        Ints index[4], w[8];
        long_indices<V, 8, 4>(low[t], nibbles, 0x700, index);
        octets<V>(kGridIq1, index, w);
        Ints sign = V::template sll<16>(nibbles);  // bit 31: of the last octet
        for (int i = 3; i >= 0; --i) {
          shift_octet<V>(V::template sra<31>(sign), w + 2 * i);
          sign = V::template sll<4>(sign);
        }
        const Ints word = t / 2 ? V::template srl<16>(packed[c]) : packed[c];
        const Ints scales = t % 2 ? V::template srl<6>(word) : word;
        sink(4 * c + t, w, Scales{d, odd_scale<V, 0>(scales, 7), odd_scale<V, 3>(scales, 7)});
      }
    }
  }
};

}  // namespace bantam::cpu::quant
