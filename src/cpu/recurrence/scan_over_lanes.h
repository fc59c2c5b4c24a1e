#pragma once

#include "cpu/elementwise/lanes/exp.h"
#include "cpu/elementwise/lanes/lanes.h"
#include "cpu/recurrence/recurrence.h"

namespace bantam::cpu {

// The selective scan over the lanes L of an instruction set: one head, all rows.
template <class L>
struct ScanOverLanes {
  using F = typename L::F;

  // What belongs to one head, and the rows of its group.
  struct Head {
    const ScanProblem& p;
    int64_t head, group, size;  // P R

    Head(const ScanProblem& problem, int64_t h)
        : p(problem),
          head(h),
          group(h / (problem.heads / problem.groups)),
          size(problem.head_size * problem.state_size) {}

    bool fresh(int64_t n) const { return p.rows.positions[n] == 0; }
    float dt(int64_t n) const { return p.dt[n * p.heads + head]; }
    const float* A() const { return p.A + head * p.a; }
    int64_t shared(int64_t n) const { return (n * p.groups + group) * p.state_size; }
    int64_t own(int64_t n) const { return (n * p.heads + head) * p.head_size; }
    float* state(int64_t n) const {
      const int64_t sequence = p.rows.sequences == nullptr ? 0 : p.rows.sequences[n];
      return p.state + (sequence * p.heads + head) * size;
    }
    float* start(int64_t chunk) const { return p.starts + (chunk * p.heads + head) * size; }
  };

  // e^(dt A) of the elements at r.
  template <class Count>
  static F decay(const Head& h, float dt, int64_t r, Count count) {
    const F A = h.p.a == 1 ? L::set(h.A()[0]) : load<L>(h.A() + r, count);
    return exp<L>(L::mul(L::set(dt), A));
  }

  static void fill(float* p, int64_t n) {
    for (int64_t i = 0; i < n; ++i) p[i] = 0;
  }
  static void copy(const float* from, float* to, int64_t n) {
    for (int64_t i = 0; i < n; ++i) to[i] = from[i];
  }

  // next = e^(dt A) state + (dt x) B^T; they may be one.
  static void advance(const Head& h, int64_t n, const float* state, float* next) {
    const ScanProblem& p = h.p;
    const int64_t R = p.state_size;
    const float dt = h.dt(n), *x = p.x + h.own(n), *B = p.B + h.shared(n);
    for_blocks<L>(R, [&](int64_t r, auto count) {
      const F keep = decay(h, dt, r, count), b = load<L>(B + r, count);
      for (int64_t i = 0; i < p.head_size; ++i) {
        const F input = L::mul(L::set(dt * x[i]), b);
        const F before = load<L>(state + i * R + r, count);
        store<L>(next + i * R + r, L::fma(keep, before, input), count);
      }
    });
  }

  static void scan(const ScanProblem& p, int64_t head) {
    const Head h(p, head);
    const int64_t R = p.state_size;
    for (int64_t n = 0; n < p.rows.count; ++n) {
      float* state = h.state(n);
      if (h.fresh(n)) fill(state, h.size);
      if (p.starts != nullptr && n % kScanChunk == 0) copy(state, h.start(n / kScanChunk), h.size);
      advance(h, n, state, state);
      const float* C = p.C + h.shared(n);
      for (int64_t i = 0; i < p.head_size; ++i) {
        F sum = L::set(0.0f);
        for_blocks<L>(R, [&](int64_t r, auto count) {
          sum = L::fma(load<L>(state + i * R + r, count), load<L>(C + r, count), sum);
        });
        p.y[h.own(n) + i] = L::sum(sum);
      }
    }
  }

  // Row n of the backward pass: `before` and `after` are the states around it, `g` the gradient of
  // `after` that comes from later rows, and then that of `before`.
  static void grad_row(const Head& h, int64_t n, const float* before, const float* after, float* g,
                       float* dA) {
    const ScanProblem& p = h.p;
    const int64_t R = p.state_size;
    const float dt = h.dt(n);
    const float *x = p.x + h.own(n), *dy = p.dy + h.own(n);
    const float *B = p.B + h.shared(n), *C = p.C + h.shared(n);
    float *dB = p.dB + h.shared(n), *dC = p.dC + h.shared(n), *dx = p.dx + h.own(n);
    F through_decay = L::set(0.0f);  // d loss / d dt by e^(dt A)
    float through_input = 0;         // ... and by dt x B
    for (int64_t i = 0; i < p.head_size; ++i) {
      F products = L::set(0.0f);
      for_blocks<L>(R, [&](int64_t r, auto count) {
        const F later = load<L>(g + i * R + r, count);
        const F gradient = L::fma(L::set(dy[i]), load<L>(C + r, count), later);
        const F from_y = L::mul(L::set(dy[i]), load<L>(after + i * R + r, count));
        store<L>(dC + r, L::add(load<L>(dC + r, count), from_y), count);
        const F from_h = L::mul(L::set(dt * x[i]), gradient);
        store<L>(dB + r, L::add(load<L>(dB + r, count), from_h), count);
        products = L::fma(gradient, load<L>(B + r, count), products);

        const F kept = L::mul(gradient, decay(h, dt, r, count));
        const F moved = L::mul(kept, load<L>(before + i * R + r, count));
        const F A = p.a == 1 ? L::set(h.A()[0]) : load<L>(h.A() + r, count);
        through_decay = L::fma(moved, A, through_decay);
        store<L>(dA + r, L::fma(moved, L::set(dt), load<L>(dA + r, count)), count);
        store<L>(g + i * R + r, kept, count);
      });
      const float product = L::sum(products);
      dx[i] = dt * product;
      through_input += x[i] * product;
    }
    p.ddt[n * p.heads + h.head] = L::sum(through_decay) + through_input;
    if (h.fresh(n)) fill(g, h.size);
  }

  // Chunks from the last to the first: the states within one are computed again from its start.
  static void scan_grad(const ScanProblem& p, int64_t head) {
    const Head h(p, head);
    float* states = p.scratch;  // before each row of the chunk, and after the last
    float* g = states + (kScanChunk + 1) * h.size;  // gradient of the state
    float* zero = g + h.size;                       // what a sequence begins with
    float* dA = zero + h.size;                      // [R]
    fill(g, 2 * h.size + p.state_size);
    for (int64_t chunk = (p.rows.count - 1) / kScanChunk; chunk >= 0; --chunk) {
      const int64_t first = chunk * kScanChunk;
      const int64_t rows = p.rows.count - first < kScanChunk ? p.rows.count - first : kScanChunk;
      const auto before = [&](int64_t i) {
        return h.fresh(first + i) ? zero : states + i * h.size;
      };
      copy(h.start(chunk), states, h.size);
      for (int64_t i = 0; i < rows; ++i) {
        advance(h, first + i, before(i), states + (i + 1) * h.size);
      }
      for (int64_t i = rows - 1; i >= 0; --i) {
        grad_row(h, first + i, before(i), states + (i + 1) * h.size, g, dA);
      }
    }
    float sum = 0;
    for (int64_t r = 0; r < p.state_size; ++r) sum += dA[r];
    if (p.a == 1) {
      p.dA[head] = sum;
    } else {
      copy(dA, p.dA + head * p.a, p.a);
    }
  }
};

}  // namespace bantam::cpu
