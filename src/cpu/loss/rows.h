#pragma once

#include <math.h>

#include "cpu/elementwise/lanes/exp.h"
#include "cpu/elementwise/lanes/lanes.h"
#include "cpu/loss/loss.h"

namespace bantam::cpu {

// The kernels of loss.h over the lanes L of an instruction set. A row is small enough to stay in
// the first-level cache, so that its passes after the first cost no memory traffic.
template <class L>
struct LossOverLanes {
  using F = typename L::F;

  // Masked logits of -inf get this log-probability: finite, and e^ of it is 0.
  static constexpr float kLogFloor = -1e4f;

  static constexpr float minus_infinity(const float*) { return -__builtin_inff(); }
  static constexpr Bf16 minus_infinity(const Bf16*) { return {0xff80}; }

  // Elements that are missing from a tail are -inf: they raise no maximum and have probability 0.
  template <class T>
  static F logits(const T* p, All) {
    return L::load(p);
  }
  template <class T>
  static F logits(const T* p, int n) {
    T block[kLanes];
    for (T& element : block) element = minus_infinity(p);
    memcpy(block, p, static_cast<size_t>(n) * sizeof(T));
    return L::load(block);
  }

  template <class T>
  static float element(const T* p) {
    float lanes[kLanes];
    L::store(lanes, logits(p, 1));
    return lanes[0];
  }

  static F exp_of(F x) { return bantam::cpu::exp<L>(x); }

  // log(1 + u) for 0 <= u <= 1: 2 atanh(z) with z = u / (2 + u) <= 1/3, the series to z^13.
  static F log1p(F u) {
    const F z = L::div(u, L::add(u, L::set(2.0f)));
    const F z2 = L::mul(z, z);
    F y = L::set(2.0f / 13.0f);
    constexpr float kRest[] = {2.0f / 11.0f, 2.0f / 9.0f, 2.0f / 7.0f, 2.0f / 5.0f, 2.0f / 3.0f, 2};
    for (const float c : kRest) y = L::fma(y, z2, L::set(c));
    return L::mul(y, z);
  }

  // Of softmax(x / T): log p_i = (x_i - maximum) / T - log_sum.
  struct Statistics {
    float maximum, log_sum;
  };

  template <class T>
  static Statistics statistics(const T* x, int64_t v, float inverse_temperature) {
    F top = L::set(-__builtin_inff());
    for_blocks<L>(v, [&](int64_t i, auto count) { top = L::max(logits(x + i, count), top); });
    const float maximum = L::largest(top);
    const F offset = L::set(maximum), inverse = L::set(inverse_temperature);
    F total = L::set(0.0f);
    for_blocks<L>(v, [&](int64_t i, auto count) {
      const F scaled = L::mul(L::sub(logits(x + i, count), offset), inverse);
      total = L::add(total, exp_of(scaled));
    });
    return {maximum, logf(L::sum(total))};
  }

  template <class T>
  static void cross_entropy(const void* logit_row, int64_t v, int32_t target, float* loss,
                            float* lse) {
    const T* x = static_cast<const T*>(logit_row);
    const Statistics s = statistics(x, v, 1.0f);
    *lse = s.maximum + s.log_sum;
    *loss = (s.maximum - element(x + target)) + s.log_sum;
  }

  template <class T>
  static void cross_entropy_grad(const void* logit_row, int64_t v, int32_t target, float lse,
                                 float dloss, void* dlogits) {
    const T* x = static_cast<const T*>(logit_row);
    T* dx = static_cast<T*>(dlogits);
    const F offset = L::set(lse), factor = L::set(dloss);
    const F hit = L::sub(logits(x + target, 1), offset);  // before it is written over
    for_blocks<L>(v, [&](int64_t i, auto count) {
      const F p = exp_of(L::sub(logits(x + i, count), offset));
      store<L>(dx + i, L::mul(p, factor), count);
    });
    store<L>(dx + target, L::mul(L::sub(exp_of(hit), L::set(1.0f)), factor), 1);
  }

  struct LogSoftmax {
    F maximum, log_sum, inverse;
    LogSoftmax(Statistics s, float inverse_temperature)
        : maximum(L::set(s.maximum)),
          log_sum(L::set(s.log_sum)),
          inverse(L::set(inverse_temperature)) {}
    F operator()(F x) const {
      const F log_p = L::sub(L::mul(L::sub(x, maximum), inverse), log_sum);
      return L::max(L::set(kLogFloor), log_p);
    }
  };

  // Calls body(i, count, log p, log q) over a row.
  template <class S, class T, class Body>
  static void for_log_probabilities(const S* student, const T* teacher, int64_t v,
                                    float temperature, Body body) {
    const float inverse = 1.0f / temperature;
    const LogSoftmax log_q(statistics(student, v, inverse), inverse);
    const LogSoftmax log_p(statistics(teacher, v, inverse), inverse);
    body([&](auto inner) {
      for_blocks<L>(v, [&](int64_t i, auto count) {
        inner(i, count, log_p(logits(teacher + i, count)), log_q(logits(student + i, count)));
      });
    });
  }

  // log m of the mixture m = (p + q) / 2.
  static F log_mixture(F log_p, F log_q) {
    const F minus_distance = L::min(L::sub(log_p, log_q), L::sub(log_q, log_p));
    const F excess = L::sub(log1p(exp_of(minus_distance)), L::set(0.693147181f));
    return L::add(L::max(log_p, log_q), excess);
  }

  // What each divergence sums up, and its derivative in q_i up to a constant (unused for the
  // first).
  struct ForwardKl {
    static F term(F lp, F lq) { return L::mul(exp_of(lp), L::sub(lp, lq)); }
  };
  struct ReverseKl {
    static F term(F lp, F lq) { return L::mul(exp_of(lq), L::sub(lq, lp)); }
    static F slope(F lp, F lq) { return L::sub(lq, lp); }
  };
  struct JensenShannon {
    static F term(F lp, F lq) {
      const F lm = log_mixture(lp, lq);
      const F teacher = L::mul(exp_of(lp), L::sub(lp, lm));
      return L::mul(L::set(0.5f), L::fma(exp_of(lq), L::sub(lq, lm), teacher));
    }
    static F slope(F lp, F lq) { return L::mul(L::set(0.5f), L::sub(lq, log_mixture(lp, lq))); }
  };

  template <class Kind, class S, class T>
  static float divergence_of(const S* student, const T* teacher, int64_t v, float temperature) {
    F total = L::set(0.0f);
    for_log_probabilities(student, teacher, v, temperature, [&](auto for_row) {
      for_row([&](int64_t, auto, F lp, F lq) { total = L::add(total, Kind::term(lp, lq)); });
    });
    return temperature * temperature * L::sum(total);
  }

  template <class S, class T>
  static float divergence(const void* student, const void* teacher, int64_t v, float temperature,
                          LossKind kind) {
    const S* s = static_cast<const S*>(student);
    const T* t = static_cast<const T*>(teacher);
    if (kind == LossKind::forward_kl) return divergence_of<ForwardKl>(s, t, v, temperature);
    if (kind == LossKind::reverse_kl) return divergence_of<ReverseKl>(s, t, v, temperature);
    return divergence_of<JensenShannon>(s, t, v, temperature);
  }

  // T q_i (slope_i - sum q slope) dloss
  template <class Kind, class S, class T>
  static void centred_gradient(const S* student, const T* teacher, int64_t v, float temperature,
                               float dloss, S* d) {
    for_log_probabilities(student, teacher, v, temperature, [&](auto for_row) {
      F total = L::set(0.0f);
      for_row([&](int64_t, auto, F lp, F lq) {
        total = L::fma(exp_of(lq), Kind::slope(lp, lq), total);
      });
      const F mean = L::set(L::sum(total)), factor = L::set(temperature * dloss);
      for_row([&](int64_t i, auto count, F lp, F lq) {
        const F centred = L::sub(Kind::slope(lp, lq), mean);
        store<L>(d + i, L::mul(L::mul(exp_of(lq), centred), factor), count);
      });
    });
  }

  // T (q_i - p_i) dloss
  template <class S, class T>
  static void forward_kl_gradient(const S* student, const T* teacher, int64_t v, float temperature,
                                  float dloss, S* d) {
    for_log_probabilities(student, teacher, v, temperature, [&](auto for_row) {
      const F factor = L::set(temperature * dloss);
      for_row([&](int64_t i, auto count, F lp, F lq) {
        store<L>(d + i, L::mul(L::sub(exp_of(lq), exp_of(lp)), factor), count);
      });
    });
  }

  template <class S, class T>
  static void divergence_grad(const void* student, const void* teacher, int64_t v,
                              float temperature, LossKind kind, float dloss, void* dstudent) {
    const S* s = static_cast<const S*>(student);
    const T* t = static_cast<const T*>(teacher);
    S* d = static_cast<S*>(dstudent);
    if (kind == LossKind::forward_kl) {
      forward_kl_gradient(s, t, v, temperature, dloss, d);
    } else if (kind == LossKind::reverse_kl) {
      centred_gradient<ReverseKl>(s, t, v, temperature, dloss, d);
    } else {
      centred_gradient<JensenShannon>(s, t, v, temperature, dloss, d);
    }
  }

  static constexpr LossKernels kernels() {
    return {
        .cross_entropy = {cross_entropy<float>, cross_entropy<Bf16>},
        .cross_entropy_grad = {cross_entropy_grad<float>, cross_entropy_grad<Bf16>},
        .divergence = {{divergence<float, float>, divergence<float, Bf16>},
                       {divergence<Bf16, float>, divergence<Bf16, Bf16>}},
        .divergence_grad = {{divergence_grad<float, float>, divergence_grad<float, Bf16>},
                            {divergence_grad<Bf16, float>, divergence_grad<Bf16, Bf16>}},
    };
  }
};

}  // namespace bantam::cpu
