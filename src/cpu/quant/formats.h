#pragma once

// The weight formats, written once for vectors whose lane r belongs to weight row r. Kernel files
// instantiate these with their own `V` (an unnamed-namespace type, so nothing is shared between
// instruction sets):
//
//   V::kRows                        rows side by side
//   V::Ints, V::Floats              one 32-bit value per row
//   V::columns<bytes>(p, stride, out)   out[j] lane r = bytes 4j..4j+3 of row r
//   V::dword(p, stride)             the four bytes at p of every row
//   V::load(p), V::load_halves(p)   a vector from 4 kRows bytes; floats from 2 kRows
//   V::srl_bytes<bits>(v)           each byte shifted to the right
//   V::dot<Max, count>(w, x)        exact sum over 4 * count unsigned weights <= Max
//   V::dot_signed(w, x)             exact sum over 32 signed weights, plus kSignedOffset * sum_x
//
// `unpack(in, sink)` decodes one block of every row, read through `in` (block_rows.h), and calls
// sink(group, weights, scales) for each of its groups of 32. Weights are unsigned, at most kMax,
// and stand for themselves less kOffset; those with kMax = kSignedMax are signed. `finish` adds a
// group to a row's sum as quant.h prescribes; its sums are of the weights as unpacked or, where V
// is one of those that have kCentred, of what they stand for. x: BlockQ8A, or a block of a panel.

#include <stdint.h>

#include "tensor/blocks.h"

#define BANTAM_QUANT_INLINE [[gnu::always_inline]] static inline

namespace bantam::cpu::quant {

inline constexpr int kSignedMax = 128;

// d_x sum_x
BANTAM_QUANT_INLINE float scaled_sum(const BlockQ8A& x) {
  return x.d * (float)(x.sum[0] + x.sum[1]);
}

// The sum over a half.
template <class X>
BANTAM_QUANT_INLINE float half_sum(const X& x, int h) {
  return (float)x.sum[h];
}

// The scale of a block of activations whose largest magnitude has these bits, and what its elements
// are multiplied by; false: nothing is left to do, the block is zero or not a number.
BANTAM_QUANT_INLINE bool set_scale(uint32_t bits, BlockQ8A* q, float* inverse) {
  float largest;
  __builtin_memcpy(&largest, &bits, 4);
  if (!(largest >= 0x1p-100f) || bits >= 0x7f800000u) {
    __builtin_memset(q, 0, sizeof *q);
    if (bits >= 0x7f800000u) q->d = __builtin_nanf("");
    return false;
  }
  q->d = largest / 127.0f;
  *inverse = 127.0f / largest;
  return true;
}

// The exact sum of products from one with weights that are kOffset too large, given the sum of the
// activations.
template <class V, int kOffset>
BANTAM_QUANT_INLINE typename V::Floats centred(typename V::Ints isum, int sum_x) {
  if constexpr (kOffset == 0) {
    return V::convert(isum);
  } else {
    return V::convert(V::sub(isum, V::set1(kOffset * sum_x)));
  }
}

// The same over a group, and over one half of it.
template <class V, int kOffset, class X>
BANTAM_QUANT_INLINE typename V::Floats centred_group(typename V::Ints isum, const X& x) {
  if constexpr (requires { V::kCentred; }) {
    return V::convert(isum);
  } else {
    return centred<V, kOffset>(isum, x.sum[0] + x.sum[1]);
  }
}
template <class V, int kOffset, class X>
BANTAM_QUANT_INLINE typename V::Floats centred_half(typename V::Ints isum, const X& x, int half) {
  if constexpr (requires { V::kCentred; }) {
    return V::convert(isum);
  } else {
    return centred<V, kOffset>(isum, x.sum[half]);
  }
}

// d times a scale for each half of a group.
template <class V>
struct HalfScales {
  using Floats = typename V::Floats;
  Floats first, second;

  HalfScales() = default;
  [[gnu::always_inline]] inline HalfScales(Floats d, Floats of_first, Floats of_second)
      : first(V::mul(d, of_first)), second(V::mul(d, of_second)) {}

  // fma(first, sum, second * sum')
  [[gnu::always_inline]] inline Floats scaled(Floats sum, Floats sum_of_second) const {
    return V::fma(first, sum, V::mul(second, sum_of_second));
  }
};

template <class V>
struct Nibbles {
  using Ints = typename V::Ints;
  BANTAM_QUANT_INLINE Ints low(Ints v) { return V::and_bytes(v, 15); }
  BANTAM_QUANT_INLINE Ints high(Ints v) { return V::template srl_bytes<4>(v); }
};

// To the left, or, if kBits < 0, to the right.
template <class V, int kBits>
BANTAM_QUANT_INLINE typename V::Ints shifted(typename V::Ints v) {
  if constexpr (kBits > 0) return V::template sll<kBits>(v);
  if constexpr (kBits < 0) return V::template srl<-kBits>(v);
  return v;
}

// One scale for a group.
template <class V, int kLargest, int kMiddle>
struct PlainGroup {
  using Ints = typename V::Ints;
  using Floats = typename V::Floats;
  using Scales = Floats;
  static constexpr int kSums = 1, kMax = kLargest, kOffset = kMiddle;

  BANTAM_QUANT_INLINE void dot(const Ints* w, const int8_t* x, Ints* isum) {
    isum[0] = V::template dot<kMax, 8>(w, x);
  }
  template <class X>
  BANTAM_QUANT_INLINE Floats finish(const Ints* isum, const Scales& d, const X& x, Floats acc) {
    const Floats exact = centred_group<V, kMiddle>(isum[0], x);
    return V::fma(exact, V::mul(d, V::set1(x.d)), acc);
  }
};

// One for each half.
template <class V, int kLargest, int kMiddle>
struct HalvedGroup {
  using Ints = typename V::Ints;
  using Floats = typename V::Floats;
  using Scales = HalfScales<V>;
  static constexpr int kSums = 2, kMax = kLargest, kOffset = kMiddle;

  BANTAM_QUANT_INLINE void dot(const Ints* w, const int8_t* x, Ints* isum) {
    isum[0] = V::template dot<kMax, 4>(w, x);
    isum[1] = V::template dot<kMax, 4>(w + 4, x + 16);
  }
  template <class X>
  BANTAM_QUANT_INLINE Floats finish(const Ints* isum, const Scales& s, const X& x, Floats acc) {
    const Floats first = centred_half<V, kMiddle>(isum[0], x, 0);
    const Floats second = centred_half<V, kMiddle>(isum[1], x, 1);
    return V::fma(s.scaled(first, second), V::set1(x.d), acc);
  }
};

// One scale, and weights that have signs: bytes, or entries of a table.
template <class V>
struct SignedGroup {
  using Ints = typename V::Ints;
  using Floats = typename V::Floats;
  using Scales = Floats;
  static constexpr int kSums = 1, kMax = kSignedMax, kOffset = 0;

  BANTAM_QUANT_INLINE void dot(const Ints* w, const int8_t* x, Ints* isum) {
    isum[0] = V::dot_signed(w, x);
  }
  template <class X>
  BANTAM_QUANT_INLINE Floats finish(const Ints* isum, const Scales& d, const X& x, Floats acc) {
    const Floats exact = centred_group<V, V::kSignedOffset>(isum[0], x);
    return V::fma(exact, V::mul(d, V::set1(x.d)), acc);
  }
};

template <class V>
struct FormatQ8_0 : SignedGroup<V> {
  using Ints = typename V::Ints;
  using Floats = typename V::Floats;
  using Scales = Floats;
  static constexpr int kGroups = 1, kBytes = sizeof(BlockQ8_0);

  template <class Rows, class Sink>
  BANTAM_QUANT_INLINE void unpack(const Rows& in, Sink&& sink) {
    const Scales d = in.half(0);
    Ints w[8];
    in.template columns<32>(2, w);
    V::prepare_signed(w);
    sink(0, w, d);
  }
};

template <class V>
struct FormatQ4_0 : PlainGroup<V, 15, 8> {
  using Ints = typename V::Ints;
  using Floats = typename V::Floats;
  using Scales = Floats;
  static constexpr int kGroups = 1, kBytes = sizeof(BlockQ4_0);

  template <class Rows, class Sink>
  BANTAM_QUANT_INLINE void unpack(const Rows& in, Sink&& sink) {
    const Scales d = in.half(0);
    Ints w[8];
    in.template columns<16>(2, w);
    for (int j = 0; j < 4; ++j) {
      w[j + 4] = Nibbles<V>::high(w[j]);
      w[j] = Nibbles<V>::low(w[j]);
    }
    sink(0, w, d);
  }
};

template <class V>
struct FormatQ4_1 {
  using Ints = typename V::Ints;
  using Floats = typename V::Floats;
  struct Scales {
    Floats d, m;
  };
  static constexpr int kGroups = 1, kBytes = sizeof(BlockQ4_1), kSums = 1;
  static constexpr int kMax = 15, kOffset = 0;

  template <class Rows, class Sink>
  BANTAM_QUANT_INLINE void unpack(const Rows& in, Sink&& sink) {
    const Ints both = in.dword(0);
    Ints w[8];
    in.template columns<16>(4, w);
    for (int j = 0; j < 4; ++j) {
      w[j + 4] = Nibbles<V>::high(w[j]);
      w[j] = Nibbles<V>::low(w[j]);
    }
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

// d * scale and dmin * min of the eight sub-blocks of q4_k and q5_k.
template <class V>
struct KScales {
  using Ints = typename V::Ints;
  using Floats = typename V::Floats;
  Floats d[8], m[8];

  template <class Rows>
  [[gnu::always_inline]] inline explicit KScales(const Rows& in) {
    const Ints both = in.dword(0);
    const Floats d_block = V::half_low(both), m_block = V::half_high(both);
    // A byte for each sub-block.
    const Ints scales = in.dword(4), minima = in.dword(8), rest = in.dword(12);
    const Ints top_d = V::and_bytes(V::template srl<2>(scales), 48);
    const Ints top_m = V::and_bytes(V::template srl<2>(minima), 48);
    times_bytes(d_block, V::and_bytes(scales, 63), d);
    times_bytes(m_block, V::and_bytes(minima, 63), m);
    times_bytes(d_block, V::either(Nibbles<V>::low(rest), top_d), d + 4);
    times_bytes(m_block, V::either(Nibbles<V>::high(rest), top_m), m + 4);
  }

 private:
  BANTAM_QUANT_INLINE void times_bytes(Floats x, Ints v, Floats* out) {
    out[0] = V::mul(x, V::convert(V::and_ints(v, 255)));
    out[1] = V::mul(x, V::convert(V::and_ints(V::template srl<8>(v), 255)));
    out[2] = V::mul(x, V::convert(V::and_ints(V::template srl<16>(v), 255)));
    out[3] = V::mul(x, V::convert(V::template srl<24>(v)));
  }
};

template <class V>
struct SubBlockScales {
  typename V::Floats d, m;

  template <class X>
  [[gnu::always_inline]] inline typename V::Floats finish(typename V::Ints isum, const X& x,
                                                          typename V::Floats acc) const {
    acc = V::fma(V::convert(isum), V::mul(d, V::set1(x.d)), acc);
    return V::fnma(m, V::set1(scaled_sum(x)), acc);
  }
};

template <class V>
struct FormatQ4_K {
  using Ints = typename V::Ints;
  using Floats = typename V::Floats;
  using Scales = SubBlockScales<V>;
  static constexpr int kGroups = 8, kBytes = sizeof(BlockQ4_K), kSums = 1;
  static constexpr int kMax = 15, kOffset = 0;

  template <class Rows, class Sink>
  BANTAM_QUANT_INLINE void unpack(const Rows& in, Sink&& sink) {
    const KScales<V> scales(in);
    for (int c = 0; c < 4; ++c) {
      Ints raw[8], w[8];
      in.template columns<32>(16 + 32 * c, raw);
      for (int j = 0; j < 8; ++j) w[j] = Nibbles<V>::low(raw[j]);
      sink(2 * c, w, Scales{scales.d[2 * c], scales.m[2 * c]});
      for (int j = 0; j < 8; ++j) w[j] = Nibbles<V>::high(raw[j]);
      sink(2 * c + 1, w, Scales{scales.d[2 * c + 1], scales.m[2 * c + 1]});
    }
  }
  BANTAM_QUANT_INLINE void dot(const Ints* w, const int8_t* x, Ints* isum) {
    isum[0] = V::template dot<kMax, 8>(w, x);
  }
  template <class X>
  BANTAM_QUANT_INLINE Floats finish(const Ints* isum, const Scales& s, const X& x, Floats acc) {
    return s.finish(isum[0], x, acc);
  }
};

template <class V>
struct FormatQ5_K {
  using Ints = typename V::Ints;
  using Floats = typename V::Floats;
  using Scales = SubBlockScales<V>;
  static constexpr int kGroups = 8, kBytes = sizeof(BlockQ5_K), kSums = 1;
  static constexpr int kMax = 31, kOffset = 0;

  template <class Rows, class Sink>
  BANTAM_QUANT_INLINE void unpack(const Rows& in, Sink&& sink) {
    const KScales<V> scales(in);
    Ints top[8];  // bit 0 of each byte: the fifth bit of the next sub-block
    in.template columns<32>(16, top);
    for (int c = 0; c < 4; ++c) {
      Ints raw[8], w[8];
      in.template columns<32>(48 + 32 * c, raw);
      for (int j = 0; j < 8; ++j) {
        w[j] = V::either(Nibbles<V>::low(raw[j]), V::and_bytes(V::template sll<4>(top[j]), 16));
      }
      sink(2 * c, w, Scales{scales.d[2 * c], scales.m[2 * c]});
      for (int j = 0; j < 8; ++j) {
        w[j] = V::either(Nibbles<V>::high(raw[j]), V::and_bytes(V::template sll<3>(top[j]), 16));
        top[j] = V::template srl<2>(top[j]);
      }
      sink(2 * c + 1, w, Scales{scales.d[2 * c + 1], scales.m[2 * c + 1]});
    }
  }
  BANTAM_QUANT_INLINE void dot(const Ints* w, const int8_t* x, Ints* isum) {
    isum[0] = V::template dot<kMax, 8>(w, x);
  }
  template <class X>
  BANTAM_QUANT_INLINE Floats finish(const Ints* isum, const Scales& s, const X& x, Floats acc) {
    return s.finish(isum[0], x, acc);
  }
};

template <class V>
struct FormatQ6_K : HalvedGroup<V, 63, 32> {
  using Ints = typename V::Ints;
  using Floats = typename V::Floats;
  using Scales = HalfScales<V>;
  static constexpr int kGroups = 8, kBytes = sizeof(BlockQ6_K);

  BANTAM_QUANT_INLINE Floats signed_byte(Ints v) {
    return V::convert(V::template sra<24>(V::template sll<24>(v)));
  }

  // Group t of a half; bits 2 t and 2 t + 1 of each byte of top are its high bits.
  template <int t, class Rows, class Sink>
  BANTAM_QUANT_INLINE void group(const Rows& in, int half, const Floats& d, const Ints* top,
                                 Sink&& sink) {
    Ints w[8];
    in.template columns<32>(64 * half + t % 2 * 32, w);
    for (int j = 0; j < 8; ++j) {
      const Ints low = t < 2 ? Nibbles<V>::low(w[j]) : Nibbles<V>::high(w[j]);
      w[j] = V::either(low, V::and_bytes(shifted<V, 4 - 2 * t>(top[j]), 48));
    }
    // The scales of two groups share four bytes.
    const Ints four = in.dword(192 + 8 * half + t / 2 * 4);
    const Ints two = t % 2 ? V::template srl<16>(four) : four;
    sink(4 * half + t, w, Scales{d, signed_byte(two), signed_byte(V::template srl<8>(two))});
  }

  template <class Rows, class Sink>
  BANTAM_QUANT_INLINE void unpack(const Rows& in, Sink&& sink) {
    const Floats d = in.half(208);
    for (int half = 0; half < 2; ++half) {
      Ints top[8];
      in.template columns<32>(128 + 32 * half, top);
      group<0>(in, half, d, top, sink);
      group<1>(in, half, d, top, sink);
      group<2>(in, half, d, top, sink);
      group<3>(in, half, d, top, sink);
    }
  }
};

}  // namespace bantam::cpu::quant
