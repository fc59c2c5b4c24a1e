#pragma once

#include <math.h>

#include "base/half.h"
#include "cpu/elementwise/lanes/lanes.h"

namespace bantam::cpu::scalar {

// Lanes as plain loops: the meaning of every operation.
struct Lanes {
  struct F {
    float v[kLanes];
  };
  struct I {
    uint32_t v[kLanes];
  };

  template <class Fn>
  static F each(Fn fn) {
    F r;
    for (int j = 0; j < kLanes; ++j) r.v[j] = fn(j);
    return r;
  }
  template <class Fn>
  static I eachi(Fn fn) {
    I r;
    for (int j = 0; j < kLanes; ++j) r.v[j] = fn(j);
    return r;
  }

  static F load(const float* p) {
    return each([&](int j) { return p[j]; });
  }
  static F load(const Bf16* p) {
    return each([&](int j) { return bf16_to_float(p[j].bits); });
  }
  static F load(const F16* p) {
    return each([&](int j) { return f16_to_float(p[j].bits); });
  }
  static void store(float* p, F a) { memcpy(p, a.v, sizeof a.v); }
  static void store(Bf16* p, F a) {
    for (int j = 0; j < kLanes; ++j) p[j].bits = float_to_bf16(a.v[j]);
  }
  static void store(F16* p, F a) {
    for (int j = 0; j < kLanes; ++j) p[j].bits = float_to_f16(a.v[j]);
  }

  static F set(float x) {
    return each([&](int) { return x; });
  }
  static F add(F a, F b) {
    return each([&](int j) { return a.v[j] + b.v[j]; });
  }
  static F sub(F a, F b) {
    return each([&](int j) { return a.v[j] - b.v[j]; });
  }
  static F mul(F a, F b) {
    return each([&](int j) { return a.v[j] * b.v[j]; });
  }
  static F div(F a, F b) {
    return each([&](int j) { return a.v[j] / b.v[j]; });
  }
  static F sqrt(F a) {
    return each([&](int j) { return sqrtf(a.v[j]); });
  }
  static F fma(F a, F b, F c) {
    return each([&](int j) { return fmaf(a.v[j], b.v[j], c.v[j]); });
  }
  static F max(F a, F b) {
    return each([&](int j) { return a.v[j] > b.v[j] ? a.v[j] : b.v[j]; });
  }
  static F min(F a, F b) {
    return each([&](int j) { return a.v[j] < b.v[j] ? a.v[j] : b.v[j]; });
  }
  static float sum(F a) {
    for (int width = kLanes / 2; width > 0; width /= 2) {
      for (int j = 0; j < width; ++j) a.v[j] += a.v[j + width];
    }
    return a.v[0];
  }
  static float largest(F a) {
    for (int width = kLanes / 2; width > 0; width /= 2) {
      for (int j = 0; j < width; ++j) {
        a.v[j] = a.v[j] > a.v[j + width] ? a.v[j] : a.v[j + width];
      }
    }
    return a.v[0];
  }
  static F swap_pairs(F a) {
    return each([&](int j) { return a.v[j ^ 1]; });
  }

  static I seti(uint32_t x) {
    return eachi([&](int) { return x; });
  }
  static I iota() {
    return eachi([](int j) { return static_cast<uint32_t>(j); });
  }
  static I addi(I a, I b) {
    return eachi([&](int j) { return a.v[j] + b.v[j]; });
  }
  static I subi(I a, I b) {
    return eachi([&](int j) { return a.v[j] - b.v[j]; });
  }
  static I muli(I a, I b) {
    return eachi([&](int j) { return a.v[j] * b.v[j]; });
  }
  static I xori(I a, I b) {
    return eachi([&](int j) { return a.v[j] ^ b.v[j]; });
  }
  template <int n>
  static I shift_left(I a) {
    return eachi([&](int j) { return a.v[j] << n; });
  }
  template <int n>
  static I shift_right(I a) {
    return eachi([&](int j) { return a.v[j] >> n; });
  }
  static I halve(I a) {
    return eachi([&](int j) { return static_cast<uint32_t>(static_cast<int32_t>(a.v[j]) >> 1); });
  }
  static I as_int(F a) {
    return eachi([&](int j) { return float_bits(a.v[j]); });
  }
  static F as_float(I a) {
    return each([&](int j) { return bits_float(a.v[j]); });
  }
  static F keep(F x, I a, I b) {
    return each([&](int j) {
      return static_cast<int32_t>(a.v[j]) >= static_cast<int32_t>(b.v[j]) ? x.v[j] : 0.0f;
    });
  }
};

}  // namespace bantam::cpu::scalar
