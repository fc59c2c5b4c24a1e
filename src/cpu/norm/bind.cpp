#include <algorithm>

#include "cpu/bindings.h"
#include "cpu/elementwise/chunks.h"
#include "cpu/norm/table.h"

namespace bantam::cpu {
namespace {

bool is_float(DType t) {
  return t == DType::f32 || t == DType::bf16;
}
int index(const TensorView& v) {
  return v.dtype == DType::bf16;
}

// `i` is in elements.
std::byte* at(const TensorView& v, int64_t i) {
  return v.as<std::byte>() + i * (v.dtype == DType::bf16 ? 2 : 4);
}

void run_rms_norm(const StepContext& c) {
  const TensorView &x = c.inputs[0], &w = c.inputs[1], &y = c.outputs[0];
  const auto eps = static_cast<float>(c.attributes.real("eps"));
  const RmsNormFn kernel = norm_kernels().rms_norm[index(x)][index(y)];
  const int64_t C = x.shape[-1];
  c.pool.parallel_for(x.shape.rows(), row_grain(C), [&](int64_t begin, int64_t end, int) {
    kernel(at(x, begin * C), w.as<float>(), at(y, begin * C), end - begin, C, eps);
  });
}

std::optional<BoundKernel> bind_rms_norm(const BindRequest& r) {
  if (!is_float(r.in(0)) || r.in(1) != DType::f32 || !is_float(r.out(0))) return {};
  return BoundKernel{run_rms_norm, 0};
}

// Chunks of rows leave their part of the weight's gradient in scratch: [chunks, C].
void run_rms_norm_grad(const StepContext& c) {
  const TensorView &x = c.inputs[0], &w = c.inputs[1], &dy = c.inputs[2], &dx = c.outputs[0];
  const auto eps = static_cast<float>(c.attributes.real("eps"));
  const RmsNormGradFn kernel = norm_kernels().rms_norm_grad[index(x)][index(dy)][index(dx)];
  const int64_t C = x.shape[-1], rows = x.shape.rows(), chunks = chunk_count(rows);
  auto* partials = static_cast<float*>(c.scratch);
  c.pool.parallel_for(chunks, row_grain(kChunkRows * C), [&](int64_t begin, int64_t end, int) {
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      const int64_t row = chunk * kChunkRows, first = row * C;
      float* dw = partials + chunk * C;
      std::fill_n(dw, C, 0.0f);
      kernel(at(x, first), w.as<float>(), at(dy, first), at(dx, first), dw,
             std::min(kChunkRows, rows - row), C, eps);
    }
  });
  sum_chunks(partials, chunks, C, c.outputs[1].as<float>(), c.pool);
}

std::optional<BoundKernel> bind_rms_norm_grad(const BindRequest& r) {
  if (!is_float(r.in(0)) || r.in(1) != DType::f32 || !is_float(r.in(2))) return {};
  if (!is_float(r.out(0)) || r.out(1) != DType::f32) return {};
  const Shape& x = r.inputs[0].shape;
  const int64_t partials = chunk_count(x.rows()) * x[-1];
  return BoundKernel{run_rms_norm_grad, partials * static_cast<int64_t>(sizeof(float))};
}

void run_layer_norm(const StepContext& c) {
  const TensorView &x = c.inputs[0], &w = c.inputs[1], &b = c.inputs[2], &y = c.outputs[0];
  const auto eps = static_cast<float>(c.attributes.real("eps"));
  const LayerNormFn kernel = norm_kernels().layer_norm[index(x)][index(y)];
  const int64_t C = x.shape[-1];
  c.pool.parallel_for(x.shape.rows(), row_grain(C), [&](int64_t begin, int64_t end, int) {
    kernel(at(x, begin * C), w.as<float>(), b.as<float>(), at(y, begin * C), end - begin, C, eps);
  });
}

std::optional<BoundKernel> bind_layer_norm(const BindRequest& r) {
  if (!is_float(r.in(0)) || r.in(1) != DType::f32 || r.in(2) != DType::f32) return {};
  if (!is_float(r.out(0))) return {};
  return BoundKernel{run_layer_norm, 0};
}

// Scratch: the parts of dw [chunks, C], then those of db.
void run_layer_norm_grad(const StepContext& c) {
  const TensorView &x = c.inputs[0], &w = c.inputs[1], &dy = c.inputs[2], &dx = c.outputs[0];
  const auto eps = static_cast<float>(c.attributes.real("eps"));
  const LayerNormGradFn kernel = norm_kernels().layer_norm_grad[index(x)][index(dy)][index(dx)];
  const int64_t C = x.shape[-1], rows = x.shape.rows(), chunks = chunk_count(rows);
  auto* dw = static_cast<float*>(c.scratch);
  float* db = dw + chunks * C;
  std::fill_n(dw, 2 * chunks * C, 0.0f);
  c.pool.parallel_for(chunks, row_grain(kChunkRows * C), [&](int64_t begin, int64_t end, int) {
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      const int64_t row = chunk * kChunkRows, first = row * C;
      kernel(at(x, first), w.as<float>(), at(dy, first), at(dx, first), dw + chunk * C,
             db + chunk * C, std::min(kChunkRows, rows - row), C, eps);
    }
  });
  sum_chunks(dw, chunks, C, c.outputs[1].as<float>(), c.pool);
  sum_chunks(db, chunks, C, c.outputs[2].as<float>(), c.pool);
}

std::optional<BoundKernel> bind_layer_norm_grad(const BindRequest& r) {
  if (!is_float(r.in(0)) || r.in(1) != DType::f32 || !is_float(r.in(2))) return {};
  if (!is_float(r.out(0)) || r.out(1) != DType::f32 || r.out(2) != DType::f32) return {};
  const Shape& x = r.inputs[0].shape;
  const int64_t partials = 2 * chunk_count(x.rows()) * x[-1];
  return BoundKernel{run_layer_norm_grad, partials * static_cast<int64_t>(sizeof(float))};
}

constexpr OpBinding kBindings[] = {
    {"layer_norm", bind_layer_norm},
    {"layer_norm_grad", bind_layer_norm_grad},
    {"rms_norm", bind_rms_norm},
    {"rms_norm_grad", bind_rms_norm_grad},
};

}  // namespace

std::span<const OpBinding> norm_bindings() {
  return kBindings;
}

}  // namespace bantam::cpu
