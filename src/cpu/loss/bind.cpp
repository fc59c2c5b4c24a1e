#include <cstring>

#include "cpu/bindings.h"
#include "cpu/elementwise/chunks.h"
#include "cpu/loss/table.h"

namespace bantam::cpu {
namespace {

bool is_float(DType t) {
  return t == DType::f32 || t == DType::bf16;
}
int index(const TensorView& v) {
  return v.dtype == DType::bf16;
}
int64_t element_bytes(const TensorView& v) {
  return v.dtype == DType::bf16 ? 2 : 4;
}
std::byte* row(const TensorView& v, int64_t n) {
  return v.as<std::byte>() + n * v.shape[-1] * element_bytes(v);
}
void clear_row(const TensorView& v, int64_t n) {
  std::memset(row(v, n), 0, static_cast<size_t>(v.shape[-1] * element_bytes(v)));
}

struct DivergenceSettings {
  float temperature;
  LossKind kind;
  explicit DivergenceSettings(const Attributes& a)
      : temperature(static_cast<float>(a.real("temperature"))),
        kind(static_cast<LossKind>(a.integer("kind"))) {}
};

// logits [N, V], targets i32 [N] -> loss, lse f32 [N]; both 0 where the target is negative.
void run_cross_entropy(const StepContext& c) {
  const TensorView& logits = c.inputs[0];
  const auto* targets = c.inputs[1].as<int32_t>();
  auto *loss = c.outputs[0].as<float>(), *lse = c.outputs[1].as<float>();
  const int64_t V = logits.shape[-1];
  const auto kernel = loss_kernels().cross_entropy[index(logits)];
  c.pool.parallel_for(logits.shape.rows(), row_grain(V), [&](int64_t begin, int64_t end, int) {
    for (int64_t n = begin; n < end; ++n) {
      if (targets[n] < 0) {
        loss[n] = lse[n] = 0;
      } else {
        kernel(row(logits, n), V, targets[n], loss + n, lse + n);
      }
    }
  });
}

std::optional<BoundKernel> bind_cross_entropy(const BindRequest& r) {
  if (!is_float(r.in(0)) || r.in(1) != DType::i32) return {};
  if (r.out(0) != DType::f32 || r.out(1) != DType::f32) return {};
  return BoundKernel{run_cross_entropy, 0};
}

// logits [N, V], targets i32 [N], lse f32 [N], dloss f32 [N] -> dlogits [N, V].
void run_cross_entropy_grad(const StepContext& c) {
  const TensorView &logits = c.inputs[0], &dlogits = c.outputs[0];
  const auto* targets = c.inputs[1].as<int32_t>();
  const auto *lse = c.inputs[2].as<float>(), *dloss = c.inputs[3].as<float>();
  const int64_t V = logits.shape[-1];
  const auto kernel = loss_kernels().cross_entropy_grad[index(logits)];
  c.pool.parallel_for(logits.shape.rows(), row_grain(V), [&](int64_t begin, int64_t end, int) {
    for (int64_t n = begin; n < end; ++n) {
      if (targets[n] < 0) {
        clear_row(dlogits, n);
      } else {
        kernel(row(logits, n), V, targets[n], lse[n], dloss[n], row(dlogits, n));
      }
    }
  });
}

std::optional<BoundKernel> bind_cross_entropy_grad(const BindRequest& r) {
  if (!is_float(r.in(0)) || r.in(1) != DType::i32) return {};
  if (r.in(2) != DType::f32 || r.in(3) != DType::f32 || r.out(0) != r.in(0)) return {};
  return BoundKernel{run_cross_entropy_grad, 0};
}

// student, teacher [N, V], targets i32 [N] -> loss f32 [N]; 0 where the target is negative.
void run_divergence(const StepContext& c) {
  const TensorView &student = c.inputs[0], &teacher = c.inputs[1];
  const auto* targets = c.inputs[2].as<int32_t>();
  auto* loss = c.outputs[0].as<float>();
  const DivergenceSettings settings(c.attributes);
  const int64_t V = student.shape[-1];
  const auto kernel = loss_kernels().divergence[index(student)][index(teacher)];
  c.pool.parallel_for(student.shape.rows(), row_grain(V), [&](int64_t begin, int64_t end, int) {
    for (int64_t n = begin; n < end; ++n) {
      loss[n] = targets[n] < 0 ? 0
                               : kernel(row(student, n), row(teacher, n), V, settings.temperature,
                                        settings.kind);
    }
  });
}

std::optional<BoundKernel> bind_divergence(const BindRequest& r) {
  if (!is_float(r.in(0)) || !is_float(r.in(1)) || r.in(2) != DType::i32) return {};
  if (r.out(0) != DType::f32) return {};
  return BoundKernel{run_divergence, 0};
}

// student, teacher [N, V], targets i32 [N], dloss f32 [N] -> dstudent [N, V].
void run_divergence_grad(const StepContext& c) {
  const TensorView &student = c.inputs[0], &teacher = c.inputs[1], &dstudent = c.outputs[0];
  const auto* targets = c.inputs[2].as<int32_t>();
  const auto* dloss = c.inputs[3].as<float>();
  const DivergenceSettings settings(c.attributes);
  const int64_t V = student.shape[-1];
  const auto kernel = loss_kernels().divergence_grad[index(student)][index(teacher)];
  c.pool.parallel_for(student.shape.rows(), row_grain(V), [&](int64_t begin, int64_t end, int) {
    for (int64_t n = begin; n < end; ++n) {
      if (targets[n] < 0) {
        clear_row(dstudent, n);
      } else {
        kernel(row(student, n), row(teacher, n), V, settings.temperature, settings.kind, dloss[n],
               row(dstudent, n));
      }
    }
  });
}

std::optional<BoundKernel> bind_divergence_grad(const BindRequest& r) {
  if (!is_float(r.in(0)) || !is_float(r.in(1)) || r.in(2) != DType::i32) return {};
  if (r.in(3) != DType::f32 || r.out(0) != r.in(0)) return {};
  return BoundKernel{run_divergence_grad, 0};
}

constexpr OpBinding kBindings[] = {
    {"cross_entropy", bind_cross_entropy},
    {"cross_entropy_grad", bind_cross_entropy_grad},
    {"divergence", bind_divergence},
    {"divergence_grad", bind_divergence_grad},
};

}  // namespace

std::span<const OpBinding> loss_bindings() {
  return kBindings;
}

}  // namespace bantam::cpu
