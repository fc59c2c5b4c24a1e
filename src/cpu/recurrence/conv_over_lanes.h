#pragma once

#include "cpu/elementwise/lanes/lanes.h"
#include "cpu/recurrence/recurrence.h"

namespace bantam::cpu {

// Convolution over the lanes L of an instruction set: 16 channels at a time, all rows.
template <class L>
struct ConvOverLanes {
  using F = typename L::F;
  static constexpr int kMostTaps = 32;

  // The taps of a block of channels, one vector for each.
  template <class Count>
  static void load_taps(const ConvProblem& p, int64_t c, Count count, float (*taps)[kLanes]) {
    for (int64_t j = 0; j < p.taps; ++j) {
      for (int l = 0; l < lanes_of(count); ++l) taps[j][l] = p.w[(c + l) * p.taps + j];
      for (int l = lanes_of(count); l < kLanes; ++l) taps[j][l] = 0;
    }
  }
  static int lanes_of(All) { return kLanes; }
  static int lanes_of(int n) { return n; }

  template <class Count>
  static void conv_block(const ConvProblem& p, int64_t c, Count count) {
    float taps[kMostTaps][kLanes];
    load_taps(p, c, count, taps);
    const int64_t C = p.channels, kept = p.taps - 1;
    for (int64_t n = 0; n < p.rows.count; ++n) {
      const int64_t sequence = p.rows.sequences == nullptr ? 0 : p.rows.sequences[n];
      float* history = p.state + sequence * kept * C + c;
      if (p.rows.positions[n] == 0) {
        for (int64_t j = 0; j < kept; ++j) store<L>(history + j * C, L::set(0.0f), count);
      }
      F sum = L::set(0.0f);
      for (int64_t j = 0; j < kept; ++j) {
        const F x = load<L>(history + j * C, count);
        sum = L::fma(L::load(taps[j]), x, sum);
        if (j > 0) store<L>(history + (j - 1) * C, x, count);
      }
      const F x = load<L>(p.x + n * C + c, count);
      store<L>(history + (kept - 1) * C, x, count);
      store<L>(p.y + n * C + c, L::fma(L::load(taps[kept]), x, sum), count);
    }
  }

  // Row n + d is `d` tokens later in the same sequence.
  static bool continues(const ConvProblem& p, int64_t n, int64_t d) {
    return n + d < p.rows.count && p.rows.positions[n + d] == p.rows.positions[n] + d;
  }

  template <class Count>
  static void grad_block(const ConvProblem& p, int64_t c, Count count) {
    float taps[kMostTaps][kLanes], sums[kMostTaps][kLanes] = {};
    load_taps(p, c, count, taps);
    const int64_t C = p.channels, last = p.taps - 1;
    for (int64_t n = 0; n < p.rows.count; ++n) {
      const F x = load<L>(p.x + n * C + c, count);
      F dx = L::set(0.0f);
      for (int64_t d = 0; d <= last && continues(p, n, d); ++d) {
        const F dy = load<L>(p.dy + (n + d) * C + c, count);
        dx = L::fma(L::load(taps[last - d]), dy, dx);
        L::store(sums[last - d], L::fma(x, dy, L::load(sums[last - d])));
      }
      store<L>(p.dx + n * C + c, dx, count);
    }
    for (int64_t j = 0; j < p.taps; ++j) {
      for (int l = 0; l < lanes_of(count); ++l) p.dw[(c + l) * p.taps + j] = sums[j][l];
    }
  }

  static void conv(const ConvProblem& p, int64_t first, int64_t end) {
    for_blocks<L>(end - first, [&](int64_t i, auto count) { conv_block(p, first + i, count); });
  }
  static void conv_grad(const ConvProblem& p, int64_t first, int64_t end) {
    for_blocks<L>(end - first, [&](int64_t i, auto count) { grad_block(p, first + i, count); });
  }
};

}  // namespace bantam::cpu
