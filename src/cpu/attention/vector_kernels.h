#pragma once

// The f32 kernels, written once over a vector type V of an instruction set (V lives in the
// namespace of its own file, so no instantiation can reach another processor). All reductions are
// in index order per element, which makes the results equal to the bit for every V.
//
// V: Reg, kWidth (divides 16), kTileRows, kTileVectors, kFewSums, load, store, set1, add, sub, mul,
// div, fma(a, b, c) = a * b + c, max, load_f16, load_bf16, keep(x, n, other) (lanes >= n become
// other), exp_bits, reduce_max, transpose(Reg[kWidth]).

#include <math.h>
#include <string.h>

#include "base/half.h"
#include "cpu/attention/attention.h"
#include "cpu/attention/cache_elements.h"
#include "cpu/attention/vector_product.h"

namespace bantam::cpu::attention {

template <class V>
struct VectorKernels {
  using Reg = typename V::Reg;
  using Product = VectorProduct<V>;
  static constexpr int W = V::kWidth;

  // exp(x) for x <= 88; exactly 0 below -87. Cody-Waite reduction and the Taylor polynomial of
  // degree 7 (remainder 5e-9 on |r| <= ln 2 / 2).
  static Reg exp(Reg x) {
    const Reg magic = V::set1(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
    const Reg t = V::fma(x, V::set1(1.44269504f), magic);
    const Reg n = V::sub(t, magic);
    Reg r = V::fma(n, V::set1(-0.693359375f), x);
    r = V::fma(n, V::set1(2.12194440e-4f), r);
    Reg p = V::set1(1.0f / 5040);
    p = V::fma(p, r, V::set1(1.0f / 720));
    p = V::fma(p, r, V::set1(1.0f / 120));
    p = V::fma(p, r, V::set1(1.0f / 24));
    p = V::fma(p, r, V::set1(1.0f / 6));
    p = V::fma(p, r, V::set1(0.5f));
    p = V::fma(p, r, V::set1(1.0f));
    p = V::fma(p, r, V::set1(1.0f));
    return V::zero_below(V::exp_bits(p, t), x, -87.0f);
  }
  static Reg tanh(Reg x) {
    const Reg zero = V::set1(0.0f), one = V::set1(1.0f), two = V::set1(2.0f);
    const Reg most = V::sub(zero, V::max(V::sub(zero, x), V::set1(-40.0f)));
    return V::sub(one, V::div(two, V::add(exp(V::mul(two, most)), one)));
  }
  static float exp1(float x) {
    alignas(64) float out[W];
    V::store(out, exp(V::set1(x)));
    return out[0];
  }

  // --- packing --------------------------------------------------------------------------------
  template <Element E>
  static float element(const void* x, int64_t i) {
    if constexpr (E == Element::f32) {
      return static_cast<const float*>(x)[i];
    } else if constexpr (E == Element::f16) {
      return f16_to_float(static_cast<const uint16_t*>(x)[i]);
    } else {
      return bf16_to_float(static_cast<const uint16_t*>(x)[i]);
    }
  }
  using Cache = CacheElements<V>;
  template <Element E>
  static Reg load(const void* x, int64_t i) {
    return Cache::template load<E>(x, i);
  }
  template <Element E>
  static void pack(const void* x, int64_t stride, int64_t count, int64_t D, int64_t P, float* to) {
    for (int64_t j = 0; j < count; ++j, to += P) {
      int64_t d = 0;
      for (; d + W <= D; d += W) V::store(to + d, load<E>(x, j * stride + d));
      if constexpr (E != Element::q8_0 && E != Element::q4_0) {  // whole blocks
        for (; d < D; ++d) to[d] = element<E>(x, j * stride + d);
      }
      for (; d < P; ++d) to[d] = 0.0f;
    }
  }
  template <Element E>
  static void pack_transposed(const void* x, int64_t stride, int64_t count, int64_t D, float* to) {
    const int64_t columns = round_up(count, kLanes);
    for (int64_t j = 0; j < columns; j += W) {
      int64_t d = 0;
      for (; d + W <= D; d += W) {
        Reg r[W];
        for (int i = 0; i < W; ++i) {
          const int64_t key = j + i < count ? j + i : count - 1;
          r[i] = load<E>(x, key * stride + d);
        }
        V::transpose(r);
        for (int i = 0; i < W; ++i) V::store(to + (d + i) * kBlock + j, r[i]);
      }
      for (; d < D; ++d)
        for (int i = 0; i < W; ++i) {
          const int64_t key = j + i < count ? j + i : count - 1;
          to[d * kBlock + j + i] = element<E>(x, key * stride + d);
        }
    }
  }

  template <Element E>
  static void pack_groups(const void* x, int64_t stride, int64_t count, int64_t D, float* to) {
    const auto* group = static_cast<const char*>(x);
    for (int64_t first = 0; first < count; first += kLanes, group += stride, to += kLanes)
      Cache::template key_columns<E, 1>(group, stride, D, 0, [&](int64_t d, int j, Reg x) {
        V::store(to + d * kBlock + j * W, x);
      });
  }

  // --- forward --------------------------------------------------------------------------------
  // scale * product, capped: s before the bias. `slope` gets d cap(x) / dx.
  static Reg score(const Scoring& scoring, Reg product, Reg* slope = nullptr) {
    const Reg x = V::mul(product, V::set1(scoring.scale));
    if (scoring.softcap == 0) return x;
    const Reg t = tanh(V::div(x, V::set1(scoring.softcap)));
    if (slope != nullptr) *slope = V::sub(V::set1(1.0f), V::mul(t, t));
    return V::mul(t, V::set1(scoring.softcap));
  }

  // Rescales what a row has summed up to a new maximum.
  static void raise(const ForwardBlock& f, int64_t i, float top) {
    if (f.m[i] == -INFINITY) {  // nothing yet
      f.m[i] = top;
      return;
    }
    float* o = f.o + i * f.Q;
    float* l = f.l + i * kLanes;
    const Reg factor = V::set1(exp1(f.m[i] - top));
    for (int64_t d = 0; d < f.Q; d += W) V::store(o + d, V::mul(V::load(o + d), factor));
    for (int j = 0; j < kLanes; j += W) V::store(l + j, V::mul(V::load(l + j), factor));
    f.m[i] = top;
  }

  // Scores of one row become probabilities relative to the new maximum; m, l and o are rescaled.
  static void soften(const ForwardBlock& f, int64_t i, float* s) {
    const int64_t visible = f.visible[i], hidden = f.hidden[i];
    const float* bias = f.bias == nullptr ? nullptr : f.bias + i * kBlock;
    if (visible == kBlock && hidden == 0 && bias == nullptr && f.scoring.softcap == 0)
      return soften_all(f, i, s);
    const Reg lowest = V::set1(-INFINITY);
    Reg top = lowest;
    for (int64_t j = 0; j < visible; j += W) {
      Reg x = score(f.scoring, V::load(s + j));
      if (bias != nullptr) x = V::add(x, V::load(bias + j));
      x = V::keep(x, visible - j, lowest);
      if (hidden > j) x = V::keep(lowest, hidden - j, x);
      V::store(s + j, x);
      top = V::max(top, x);
    }
    const float block_max = V::reduce_max(top);
    if (block_max > f.m[i]) raise(f, i, block_max);
    const Reg shift = V::set1(f.m[i]);
    for (int64_t j = 0; j < visible; j += W) {
      const Reg p = exp(V::sub(V::load(s + j), shift));
      V::store(s + j, p);
      float* lane = f.l + i * kLanes + j % kLanes;
      V::store(lane, V::add(V::load(lane), p));
    }
  }
  // The same bits where the row sees all of a block, without bias or cap: most of a long text.
  static void soften_all(const ForwardBlock& f, int64_t i, float* s) {
    constexpr int kVectors = kBlock / W, kLaneVectors = kLanes / W;
    const Reg scale = V::set1(f.scoring.scale);
    Reg x[kVectors], top = V::set1(-INFINITY);
    for (int j = 0; j < kVectors; ++j) {
      x[j] = V::mul(V::load(s + j * W), scale);
      top = V::max(top, x[j]);
    }
    const float block_max = V::reduce_max(top);
    if (block_max > f.m[i]) raise(f, i, block_max);
    const Reg shift = V::set1(f.m[i]);
    float* l = f.l + i * kLanes;
    Reg lanes[kLaneVectors];
    for (int j = 0; j < kLaneVectors; ++j) lanes[j] = V::load(l + j * W);
    for (int j = 0; j < kVectors; ++j) {
      const Reg p = exp(V::sub(x[j], shift));
      V::store(s + j * W, p);
      lanes[j % kLaneVectors] = V::add(lanes[j % kLaneVectors], p);
    }
    for (int j = 0; j < kLaneVectors; ++j) V::store(l + j * W, lanes[j]);
  }

  static void forward(const ForwardBlock& f) {
    constexpr int64_t kRows = 2 * V::kTileRows;
    alignas(64) float s[kRows * kBlock];
    for (int64_t first = 0; first < f.rows; first += kRows) {
      const int64_t rows = f.rows - first < kRows ? f.rows - first : kRows;
      int32_t most = 0;
      for (int64_t i = 0; i < rows; ++i)
        if (f.visible[first + i] > most) most = f.visible[first + i];
      if (most == 0) continue;
      Product::run(rows, round_up(most, kLanes), f.D, {f.q + first * f.P, f.P, 1}, f.kt, kBlock, s,
                   kBlock, false);
      for (int64_t i = 0; i < rows; ++i)
        if (f.visible[first + i] > 0) soften(f, first + i, s + i * kBlock);
      Product::run_ragged(rows, f.Q, f.visible + first, {s, kBlock, 1}, f.v, f.Q, f.o + first * f.Q,
                          f.Q);
    }
  }

  // Sums over channels and over cells are chains: few rows need several groups of cells, or of
  // channels, side by side to keep the units busy; as many as the registers hold.
  template <int R>
  static constexpr int kGroups = R * 4 * kLanes / W <= V::kFewSums   ? 4
                                 : R * 2 * kLanes / W <= V::kFewSums ? 2
                                                                     : 1;

  // Products of R query rows with G groups of cells.
  template <Element E, int R, int G>
  static void few_scores(const FewBlock& b, int64_t i, int64_t first, float* s) {
    constexpr int NV = G * kLanes / W;
    const ForwardBlock& f = b.block;
    const char* groups = static_cast<const char*>(b.keys) + first / kLanes * b.key_stride;
    Reg acc[R][NV];
    for (int r = 0; r < R; ++r)
      for (int j = 0; j < NV; ++j) acc[r][j] = V::set1(0.0f);
    const auto fma = [&](int64_t d, int j, Reg x) {
      for (int r = 0; r < R; ++r) acc[r][j] = V::fma(V::set1(f.q[(i + r) * f.P + d]), x, acc[r][j]);
    };
    Cache::template key_columns<E, G>(groups, b.key_stride, f.D, b.keys_ahead, fma);
    for (int r = 0; r < R; ++r)
      for (int j = 0; j < NV; ++j) V::store(s + r * kBlock + first + j * W, acc[r][j]);
  }
  // o += p v for R rows that see as many cells, G times kLanes channels from e on.
  template <Element E, int R, int G>
  static void few_sums(const FewBlock& b, int64_t i, const float* p, int64_t e) {
    constexpr int NV = G * kLanes / W;
    const ForwardBlock& f = b.block;
    float* o = f.o + i * f.Q + e;
    Reg acc[R][NV];
    for (int r = 0; r < R; ++r)
      for (int j = 0; j < NV; ++j) acc[r][j] = V::load(o + r * f.Q + j * W);
    for (int64_t c = 0; c < f.visible[i]; ++c) {
      const char* cell = static_cast<const char*>(b.values) + element_bytes(E, c * b.value_stride);
      for (int64_t at = 0; at < element_bytes(E, G * kLanes); at += Cache::kLine)
        __builtin_prefetch(cell + element_bytes(E, e) + at + b.values_ahead);
      for (int j = 0; j < NV; ++j) {
        const Reg x = load<E>(b.values, c * b.value_stride + e + j * W);
        for (int r = 0; r < R; ++r) acc[r][j] = V::fma(V::set1(p[r * kBlock + c]), x, acc[r][j]);
      }
    }
    for (int r = 0; r < R; ++r)
      for (int j = 0; j < NV; ++j) V::store(o + r * f.Q + j * W, acc[r][j]);
  }
  template <Element E, int R>
  static void few_rows(const FewBlock& b, int64_t i) {
    constexpr int G = kGroups<R>;
    const ForwardBlock& f = b.block;
    alignas(64) float s[R * kBlock];
    int64_t at = 0;
    for (; at + (G - 1) * kLanes < f.visible[i]; at += G * kLanes) few_scores<E, R, G>(b, i, at, s);
    for (; at < f.visible[i]; at += kLanes) few_scores<E, R, 1>(b, i, at, s);
    for (int r = 0; r < R; ++r) soften(f, i + r, s + r * kBlock);
    for (at = 0; at + G * kLanes <= f.Q; at += G * kLanes) few_sums<E, R, G>(b, i, s, at);
    for (; at < f.Q; at += kLanes) few_sums<E, R, 1>(b, i, s, at);
  }
  template <Element E>
  static void forward_few(const FewBlock& b) {
    const ForwardBlock& f = b.block;
    for (int64_t i = 0; i < f.rows;) {
      int64_t same = 1;
      while (same < 4 && i + same < f.rows && f.visible[i + same] == f.visible[i]) ++same;
      if (f.visible[i] > 0) {
        if (same == 4) few_rows<E, 4>(b, i);
        if (same == 3) few_rows<E, 3>(b, i);
        if (same == 2) few_rows<E, 2>(b, i);
        if (same == 1) few_rows<E, 1>(b, i);
      }
      i += same;
    }
  }

  static void merge(float m, const float* l, const float* o, int64_t Q, float* to_m, float* to_l,
                    float* to_o) {
    if (m == -INFINITY) return;
    const float top = m > *to_m ? m : *to_m;
    const Reg old_factor = V::set1(exp1(*to_m - top)), new_factor = V::set1(exp1(m - top));
    for (int j = 0; j < kLanes; j += W)
      V::store(to_l + j, V::fma(V::load(l + j), new_factor, V::mul(V::load(to_l + j), old_factor)));
    for (int64_t d = 0; d < Q; d += W)
      V::store(to_o + d, V::fma(V::load(o + d), new_factor, V::mul(V::load(to_o + d), old_factor)));
    *to_m = top;
  }

  // --- backward -------------------------------------------------------------------------------
  // From products to p and ds of one row.
  static void differentiate(const BackwardBlock& b, int64_t i, int64_t columns) {
    const Reg zero = V::set1(0.0f), scale = V::set1(b.scoring.scale);
    float* p = b.p + i * kBlock;
    float* ds = b.ds + i * kBlock;
    const Reg lse = V::set1(b.lse[i]), delta = V::set1(b.delta[i]);
    for (int64_t j = 0; j < columns; j += W) {
      const int64_t left = b.visible[i] - j, hidden = b.hidden[i] - j;
      Reg slope = V::set1(1.0f);
      Reg x = score(b.scoring, V::load(p + j), &slope);
      if (b.bias != nullptr) x = V::add(x, V::load(b.bias + i * kBlock + j));
      Reg y = V::keep(exp(V::sub(x, lse)), left, zero);
      if (hidden > 0) y = V::keep(zero, hidden, y);
      Reg g = V::keep(V::mul(y, V::sub(V::load(ds + j), delta)), left, zero);
      if (hidden > 0) g = V::keep(zero, hidden, g);
      if (b.bias != nullptr) V::store(b.dbias + i * kBlock + j, g);
      if (b.scoring.softcap != 0) g = V::mul(g, slope);
      V::store(p + j, y);
      V::store(ds + j, V::mul(g, scale));
    }
  }

  static void backward(const BackwardBlock& b) {
    const int64_t columns = round_up(b.count, kLanes);
    Product::run(b.rows, columns, b.D, {b.q, b.P, 1}, b.kt, kBlock, b.p, kBlock, false);
    Product::run(b.rows, columns, b.E, {b.dout, b.Q, 1}, b.vt, kBlock, b.ds, kBlock, false);
    for (int64_t i = 0; i < b.rows; ++i) differentiate(b, i, columns);
    Product::run(b.count, b.Q, b.rows, {b.p, 1, kBlock}, b.dout, b.Q, b.dv, b.Q, true);
    Product::run(b.count, b.P, b.rows, {b.ds, 1, kBlock}, b.q, b.P, b.dk, b.P, true);
    Product::run_ragged(b.rows, b.P, b.visible, {b.ds, kBlock, 1}, b.k, b.P, b.dq, b.P);
  }

  // --- mass -----------------------------------------------------------------------------------
  static void add_mass(const MassBlock& b) {
    const int64_t columns = round_up(b.count, kLanes);
    const Reg zero = V::set1(0.0f);
    Product::run(b.rows, columns, b.D, {b.q, b.P, 1}, b.kt, kBlock, b.p, kBlock, false);
    for (int64_t i = 0; i < b.rows; ++i) {
      const Reg lse = V::set1(b.lse[i]);
      for (int64_t j = 0; j < b.visible[i]; j += W) {
        const Reg x = score(b.scoring, V::load(b.p + i * kBlock + j));
        const Reg y = V::keep(exp(V::sub(x, lse)), b.visible[i] - j, zero);
        V::store(b.mass + j, V::add(V::load(b.mass + j), y));
      }
    }
  }

  static constexpr FloatKernels kTable = {
      {pack<Element::f32>, pack<Element::f16>, pack<Element::bf16>, pack<Element::q8_0>,
       pack<Element::q4_0>},
      {pack_transposed<Element::f32>, pack_transposed<Element::f16>,
       pack_transposed<Element::bf16>},
      {pack_groups<Element::f32>, pack_groups<Element::f16>, pack_groups<Element::bf16>,
       pack_groups<Element::q8_0>, pack_groups<Element::q4_0>},
      forward,
      {forward_few<Element::f32>, forward_few<Element::f16>, forward_few<Element::bf16>,
       forward_few<Element::q8_0>, forward_few<Element::q4_0>},
      merge,
      backward,
      add_mass,
  };
};

}  // namespace bantam::cpu::attention
