#pragma once

// Losses over rows of logits, without ever storing probabilities. For a row x of V logits:
//
//   cross entropy       lse = log sum_i exp(x_i),   loss = lse - x_target
//                       d x_i = (exp(x_i - lse) - [i = target]) dloss
//
//   divergence          p = softmax(teacher / T), q = softmax(student / T), m = (p + q) / 2
//     forward KL        D = sum p log(p / q)                    d s_i = T (q_i - p_i) dloss
//     reverse KL        D = sum q log(q / p)                    d s_i = T q_i (log(q_i/p_i) - D)
//     dloss Jensen-Shannon    D = sum p/2 log(p/m) + q/2 log(q/m)     d s_i = T q_i (g_i - sum q g)
//     dloss,
//                                                               g_i = log(q_i / m_i) / 2
//   loss = T^2 D, so that gradients keep their size as T changes (Hinton et al. 2015).
//
// Log-probabilities are floored at -1e4: a masked logit (-inf) gives finite values. Sums are
// float32 in the canonical order (lane j adds elements j, j + 16, ... and then 16 -> 8 -> 4 -> 2 ->
// 1), every operation is the same on each instruction set, and so are all results, to the bit.

#include <stddef.h>
#include <stdint.h>

namespace bantam::cpu {

enum class LossKind : int32_t { forward_kl, reverse_kl, jensen_shannon };

// One row at a time. Indices: 0 = float32, 1 = bfloat16; [student][teacher] where there are two.
// Gradients have the type of the logits (of the student) and may be written over them.
struct LossKernels {
  // 0 <= target < v.
  void (*cross_entropy[2])(const void* logits, int64_t v, int32_t target, float* loss, float* lse);
  void (*cross_entropy_grad[2])(const void* logits, int64_t v, int32_t target, float lse,
                                float dloss, void* dlogits);
  float (*divergence[2][2])(const void* student, const void* teacher, int64_t v, float temperature,
                            LossKind kind);
  void (*divergence_grad[2][2])(const void* student, const void* teacher, int64_t v,
                                float temperature, LossKind kind, float dloss, void* dstudent);
};

namespace scalar {
extern const LossKernels kLossKernels;
}
namespace x86_avx2 {
extern const LossKernels kLossKernels;
}
namespace x86_avx512 {
extern const LossKernels kLossKernels;
}
namespace arm_neon {
extern const LossKernels kLossKernels;
}

}  // namespace bantam::cpu
