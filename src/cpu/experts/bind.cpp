#include "cpu/elementwise/chunks.h"
#include "cpu/elementwise/table.h"
#include "cpu/experts/experts.h"

namespace bantam::cpu {
namespace {

constexpr OpBinding kBindings[] = {
    {"top_k", bind_top_k},
    {"pick", bind_pick},
    {"pick_grad", bind_pick_grad},
    {"group_by_expert", bind_group_by_expert},
    {"expert_load", bind_expert_load},
    {"expert_linear", bind_expert_linear, true},
    {"expert_linear_dx", bind_expert_linear_dx},
    {"expert_linear_dw", bind_expert_linear_dw},
    {"combine_experts", bind_combine_experts},
};

// y[n] = w[n, 0] x[slots[n, 0]] + w[n, 1] x[slots[n, 1]] + ..., each product rounded, from the
// left.
void run_combine(const StepContext& c) {
  const TensorView &x = c.inputs[0], &slots = c.inputs[1], &weights = c.inputs[2];
  const TensorView& y = c.outputs[0];
  const int64_t C = x.shape[1], k = slots.shape[1];
  const ElementwiseKernels& kernels = elementwise_kernels();
  const UnaryFn scale = kernels.unary[kScale][0];
  const BinaryFn add = kernels.binary[kAdd][0][0];
  c.pool.parallel_for(y.shape[0], row_grain(C * k), [&](int64_t begin, int64_t end, int worker) {
    float* product = static_cast<float*>(c.scratch) + worker * C;
    for (int64_t n = begin; n < end; ++n) {
      float* out = y.as<float>() + n * C;
      for (int64_t j = 0; j < k; ++j) {
        const float* row = x.as<float>() + slots.as<int32_t>()[n * k + j] * C;
        scale(row, j == 0 ? out : product, C, weights.as<float>()[n * k + j]);
        if (j > 0) add(out, product, out, C);
      }
    }
  });
}

}  // namespace

std::optional<BoundKernel> bind_combine_experts(const BindRequest& r) {
  return BoundKernel{run_combine,
                     r.threads * r.inputs[0].shape[1] * static_cast<int64_t>(sizeof(float))};
}

std::span<const OpBinding> experts_bindings() {
  return kBindings;
}

}  // namespace bantam::cpu
