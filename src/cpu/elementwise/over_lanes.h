#pragma once

#include "cpu/elementwise/elementwise.h"
#include "cpu/elementwise/lanes/exp.h"
#include "cpu/elementwise/lanes/lanes.h"

namespace bantam::cpu {

// The kernels of elementwise.h over the lanes L of an instruction set.
template <class L>
struct ElementwiseOverLanes {
  using F = typename L::F;
  using I = typename L::I;

  static F one() { return L::set(1.0f); }

  struct Scale {
    static F of(F x, F parameter) { return L::mul(x, parameter); }
  };
  struct Shift {
    static F of(F x, F parameter) { return L::add(x, parameter); }
  };
  struct Exp {
    static F of(F x, F) { return exp<L>(x); }
  };
  struct Rsqrt {
    static F of(F x, F) { return L::div(one(), L::sqrt(x)); }
  };
  struct Reciprocal {
    static F of(F x, F) { return L::div(one(), x); }
  };
  struct Sigmoid {
    static F of(F x, F) { return sigmoid<L>(x); }
  };
  struct Silu {
    static F of(F x, F) { return silu<L>(x); }
  };
  struct Softplus {
    static F of(F x, F) { return softplus<L>(x); }
  };
  struct Tanh {
    static F of(F x, F) { return tanh<L>(x); }
  };
  struct Erf {
    static F of(F x, F) { return erf<L>(x); }
  };
  struct Gelu {
    static F of(F x, F) { return gelu<L>(x); }
  };
  struct GeluErf {
    static F of(F x, F) { return gelu_erf<L>(x); }
  };
  struct Relu {
    static F of(F x, F) { return L::max(L::set(0.0f), x); }
  };

  template <class Op, class X>
  static void unary(const void* x_data, void* y_data, int64_t n, float parameter) {
    const X* x = static_cast<const X*>(x_data);
    X* y = static_cast<X*>(y_data);
    for_blocks<L>(n, [&](int64_t i, auto count) {
      store<L>(y + i, Op::of(load<L>(x + i, count), L::set(parameter)), count);
    });
  }

  struct Add {
    static F of(F a, F b) { return L::add(a, b); }
  };
  struct Sub {
    static F of(F a, F b) { return L::sub(a, b); }
  };
  struct Mul {
    static F of(F a, F b) { return L::mul(a, b); }
  };

  template <class Op, class A, class B>
  static void binary(const void* a_data, const void* b_data, void* y_data, int64_t n) {
    const A* a = static_cast<const A*>(a_data);
    const B* b = static_cast<const B*>(b_data);
    A* y = static_cast<A*>(y_data);
    for_blocks<L>(n, [&](int64_t i, auto count) {
      store<L>(y + i, Op::of(load<L>(a + i, count), load<L>(b + i, count)), count);
    });
  }

  template <class Op, class A, class B>
  static void binary_one(const void* a_data, const void* b_data, void* y_data, int64_t n) {
    const A* a = static_cast<const A*>(a_data);
    A* y = static_cast<A*>(y_data);
    float first[kLanes];
    L::store(first, load<L>(static_cast<const B*>(b_data), 1));
    const F b = L::set(first[0]);
    for_blocks<L>(n, [&](int64_t i, auto count) {
      store<L>(y + i, Op::of(load<L>(a + i, count), b), count);
    });
  }

  template <class X, class Y>
  static void cast(const void* x_data, void* y_data, int64_t n) {
    const X* x = static_cast<const X*>(x_data);
    Y* y = static_cast<Y*>(y_data);
    for_blocks<L>(n, [&](int64_t i, auto count) { store<L>(y + i, load<L>(x + i, count), count); });
  }

  template <class X>
  static void swiglu(const void* gate_data, const void* up_data, void* y_data, int64_t n) {
    const X* gate = static_cast<const X*>(gate_data);
    const X* up = static_cast<const X*>(up_data);
    X* y = static_cast<X*>(y_data);
    for_blocks<L>(n, [&](int64_t i, auto count) {
      store<L>(y + i, L::mul(silu<L>(load<L>(gate + i, count)), load<L>(up + i, count)), count);
    });
  }

  template <class X, class Dy, class Dx>
  static void swiglu_grad(const void* gate_data, const void* up_data, const void* dy_data,
                          void* dgate_data, void* dup_data, int64_t n) {
    const X* gate = static_cast<const X*>(gate_data);
    const X* up = static_cast<const X*>(up_data);
    const Dy* dy = static_cast<const Dy*>(dy_data);
    Dx* dgate = static_cast<Dx*>(dgate_data);
    Dx* dup = static_cast<Dx*>(dup_data);
    for_blocks<L>(n, [&](int64_t i, auto count) {
      const F g = load<L>(gate + i, count), dyi = load<L>(dy + i, count);
      const F s = sigmoid<L>(g), y = L::mul(g, s);
      const F slope = L::fma(y, L::sub(one(), s), s);
      const F dg = L::mul(L::mul(dyi, load<L>(up + i, count)), slope);
      store<L>(dgate + i, dg, count);
      store<L>(dup + i, L::mul(dyi, y), count);
    });
  }

  static I mix(I h) {
    h = L::muli(L::xori(h, L::template shift_right<16>(h)), L::seti(0x7feb352d));
    h = L::muli(L::xori(h, L::template shift_right<15>(h)), L::seti(0x846ca68b));
    return L::xori(h, L::template shift_right<16>(h));
  }

  template <class X>
  static void dropout(const void* x_data, void* y_data, int64_t first, int64_t n,
                      const DropoutMask& mask) {
    const X* x = static_cast<const X*>(x_data);
    X* y = static_cast<X*>(y_data);
    for_blocks<L>(n, [&](int64_t i, auto count) {
      const auto index = static_cast<uint64_t>(first + i);
      const I low = L::addi(L::iota(), L::seti(static_cast<uint32_t>(index)));
      const uint32_t key = mask.key[1] + static_cast<uint32_t>(index >> 32);
      const I hash = mix(L::addi(mix(L::xori(low, L::seti(mask.key[0]))), L::seti(key)));
      const F scaled = L::mul(load<L>(x + i, count), L::set(mask.scale));
      const F kept = L::keep(scaled, L::template shift_right<8>(hash), L::seti(mask.threshold));
      store<L>(y + i, kept, count);
    });
  }

  // --- the table -----------------------------------------------------------------------------

  template <class Op>
  static constexpr void set_unary(UnaryFn (&f)[2]) {
    f[0] = unary<Op, float>;
    f[1] = unary<Op, Bf16>;
  }
  template <class Op>
  static constexpr void set_binary(ElementwiseKernels& k, Binary op) {
    k.binary[op][0][0] = binary<Op, float, float>;
    k.binary[op][0][1] = binary<Op, float, Bf16>;
    k.binary[op][1][0] = binary<Op, Bf16, float>;
    k.binary[op][1][1] = binary<Op, Bf16, Bf16>;
    k.binary_one[op][0][0] = binary_one<Op, float, float>;
    k.binary_one[op][0][1] = binary_one<Op, float, Bf16>;
    k.binary_one[op][1][0] = binary_one<Op, Bf16, float>;
    k.binary_one[op][1][1] = binary_one<Op, Bf16, Bf16>;
  }
  template <class X>
  static constexpr void set_cast(CastFn (&f)[3]) {
    f[0] = cast<X, float>;
    f[1] = cast<X, Bf16>;
    f[2] = cast<X, F16>;
  }
  template <class X>
  static constexpr void set_swiglu_grad(SwigluGradFn (&f)[2][2]) {
    f[0][0] = swiglu_grad<X, float, float>;
    f[0][1] = swiglu_grad<X, float, Bf16>;
    f[1][0] = swiglu_grad<X, Bf16, float>;
    f[1][1] = swiglu_grad<X, Bf16, Bf16>;
  }

  static constexpr ElementwiseKernels kernels() {
    ElementwiseKernels k{};
    set_unary<Scale>(k.unary[kScale]);
    set_unary<Shift>(k.unary[kShift]);
    set_unary<Exp>(k.unary[kExp]);
    set_unary<Rsqrt>(k.unary[kRsqrt]);
    set_unary<Reciprocal>(k.unary[kReciprocal]);
    set_unary<Sigmoid>(k.unary[kSigmoid]);
    set_unary<Silu>(k.unary[kSilu]);
    set_unary<Softplus>(k.unary[kSoftplus]);
    set_unary<Tanh>(k.unary[kTanh]);
    set_unary<Erf>(k.unary[kErf]);
    set_unary<Gelu>(k.unary[kGelu]);
    set_unary<GeluErf>(k.unary[kGeluErf]);
    set_unary<Relu>(k.unary[kRelu]);
    set_binary<Add>(k, kAdd);
    set_binary<Sub>(k, kSub);
    set_binary<Mul>(k, kMul);
    set_cast<float>(k.cast[0]);
    set_cast<Bf16>(k.cast[1]);
    set_cast<F16>(k.cast[2]);
    k.swiglu[0] = swiglu<float>;
    k.swiglu[1] = swiglu<Bf16>;
    set_swiglu_grad<float>(k.swiglu_grad[0]);
    set_swiglu_grad<Bf16>(k.swiglu_grad[1]);
    k.dropout[0] = dropout<float>;
    k.dropout[1] = dropout<Bf16>;
    return k;
  }
};

}  // namespace bantam::cpu
