#include "cpu/bindings.h"
#include "cpu/elementwise/chunks.h"
#include "cpu/softmax/table.h"

namespace bantam::cpu {
namespace {

void run_softmax(const StepContext& c) {
  const TensorView& x = c.inputs[0];
  const int64_t C = x.shape[-1];
  c.pool.parallel_for(x.shape.rows(), row_grain(C), [&](int64_t begin, int64_t end, int) {
    softmax_kernels().softmax(x.as<float>() + begin * C, c.outputs[0].as<float>() + begin * C,
                              end - begin, C);
  });
}

void run_softmax_grad(const StepContext& c) {
  const TensorView &y = c.inputs[0], &dy = c.inputs[1];
  const int64_t C = y.shape[-1];
  c.pool.parallel_for(y.shape.rows(), row_grain(C), [&](int64_t begin, int64_t end, int) {
    softmax_kernels().softmax_grad(y.as<float>() + begin * C, dy.as<float>() + begin * C,
                                   c.outputs[0].as<float>() + begin * C, end - begin, C);
  });
}

bool all_f32(std::span<const TensorView> views) {
  for (const TensorView& v : views) {
    if (v.dtype != DType::f32) return false;
  }
  return true;
}

std::optional<BoundKernel> bind_softmax(const BindRequest& r) {
  if (!all_f32(r.inputs) || !all_f32(r.outputs)) return {};
  return BoundKernel{run_softmax, 0};
}

std::optional<BoundKernel> bind_softmax_grad(const BindRequest& r) {
  if (!all_f32(r.inputs) || !all_f32(r.outputs)) return {};
  return BoundKernel{run_softmax_grad, 0};
}

constexpr OpBinding kBindings[] = {
    {"softmax", bind_softmax},
    {"softmax_grad", bind_softmax_grad},
};

}  // namespace

std::span<const OpBinding> softmax_bindings() {
  return kBindings;
}

}  // namespace bantam::cpu
