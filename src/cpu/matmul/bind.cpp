#include <algorithm>

#include "cpu/bindings.h"
#include "cpu/matmul/float_rows.h"
#include "cpu/matmul/gemm.h"

namespace bantam::cpu {
namespace {

int64_t columns(const TensorView& view) {
  return view.shape[-1];
}

// --- linear with f32 activations ---------------------------------------------------------------

constexpr int64_t kWeightBlock = 64;

FloatRows rows_of(const TensorView& x, std::span<const TensorView> weights) {
  return FloatRows::plan(x.as<const float>(), x.shape.rows(), columns(x), weights);
}

// One weight matrix as a part of a parallel loop over blocks of all outputs.
struct LinearBlocks {
  const FloatRows& x;
  const TensorView& w;
  const TensorView& y;

  [[nodiscard]] int64_t row_blocks() const { return (x.rows + x.block() - 1) / x.block(); }
  [[nodiscard]] int64_t count() const {
    return row_blocks() * ((w.shape[0] + kWeightBlock - 1) / kWeightBlock);
  }
  void run(int64_t block) const {
    const int64_t n = w.shape[0];
    const int64_t row = block % row_blocks() * x.block();
    const int64_t column = block / row_blocks() * kWeightBlock;
    const char* weights = w.as<const char>() + column * row_bytes(w.dtype, x.k);
    x.multiply(row, std::min(x.block(), x.rows - row), w.dtype, weights,
               std::min(kWeightBlock, n - column), y.as<float>() + row * n + column, n);
  }
};

void run_linear_f32(const StepContext& step) {
  const auto weights = std::span(step.inputs).subspan(1);
  FloatRows rows = rows_of(step.inputs[0], weights);
  rows.rounded = static_cast<uint16_t*>(step.scratch);
  step.pool.parallel_for(rows.panels(), 4, [&](int64_t begin, int64_t end, int) {
    for (int64_t panel = begin; panel < end; ++panel) rows.round(panel);
  });
  const auto part = [&](size_t i) { return LinearBlocks{rows, weights[i], step.outputs[i]}; };
  int64_t count = 0;
  for (size_t i = 0; i < weights.size(); ++i) count += part(i).count();
  step.pool.parallel_for(count, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t block = begin; block < end; ++block) {
      size_t i = 0;
      int64_t rest = block;
      for (; rest >= part(i).count(); ++i) rest -= part(i).count();
      part(i).run(rest);
    }
  });
}

// --- products through packed panels --------------------------------------------------------------

const GemmKernels& gemm_kernels(DType dtype) {
  return dtype == DType::f32 ? gemm_kernels_f32() : gemm_kernels_bf16();
}

// a [m, k] or [k, m] if ta; b [k, n] or [n, k] if tb; rows of a beyond two extents are flattened.
Gemm make_gemm(const TensorView& a, const TensorView& b, bool ta, bool tb, const TensorView& c) {
  Gemm g;
  g.kernels = &gemm_kernels(a.dtype);
  g.m = ta ? columns(a) : a.shape.rows();
  g.k = ta ? a.shape.rows() : columns(a);
  g.n = tb ? b.shape[-2] : columns(b);
  g.source_bytes = a.dtype == DType::f32 ? 4 : 2;
  g.a = {a.data, columns(a), !ta};
  g.b = {b.data, columns(b), tb};
  g.c = c.data;
  g.c_bf16 = c.dtype == DType::bf16;
  return g;
}

void clear(const TensorView& c) {
  std::fill_n(c.as<char>(), c.bytes(), char{0});
}

void run_product(const StepContext& step, const TensorView& a, const TensorView& b, bool ta,
                 bool tb, const TensorView& c) {
  const Gemm gemm = make_gemm(a, b, ta, tb, c);
  if (gemm.k == 0) return clear(c);
  run_gemm(gemm, step.scratch, step.pool);
}

void run_linear_bf16(const StepContext& step) {
  for (size_t i = 0; i < step.outputs.size(); ++i)
    run_product(step, step.inputs[0], step.inputs[i + 1], false, true, step.outputs[i]);
}

void run_matmul(const StepContext& step) {
  run_product(step, step.inputs[0], step.inputs[1], step.attributes.integer("ta", 0) != 0,
              step.attributes.integer("tb", 0) != 0, step.outputs[0]);
}

// Item i of a batch as a matrix.
TensorView item(const TensorView& batch, int64_t i) {
  const Shape matrix{batch.shape[-2], batch.shape[-1]};
  return {batch.dtype, matrix, batch.as<float>() + i * matrix.elements()};
}

void run_batch_matmul(const StepContext& step) {
  const TensorView &a = step.inputs[0], &b = step.inputs[1], &c = step.outputs[0];
  const bool ta = step.attributes.integer("ta", 0) != 0, tb = step.attributes.integer("tb", 0) != 0;
  const int64_t batch = a.shape[0];
  if (batch == 0) return;
  const int64_t group = batch / b.shape[0];
  if (a.shape[-1] == 0 || a.shape[-2] == 0) return clear(c);
  if (batch < step.pool.size()) {
    for (int64_t i = 0; i < batch; ++i)
      run_product(step, item(a, i), item(b, i / group), ta, tb, item(c, i));
    return;
  }
  const Gemm first = make_gemm(item(a, 0), item(b, 0), ta, tb, item(c, 0));
  const int64_t scratch = gemm_scratch_bytes(*first.kernels, first.n, first.k, false, 1);
  step.pool.parallel_for(batch, 1, [&](int64_t begin, int64_t end, int worker) {
    for (int64_t i = begin; i < end; ++i)
      run_gemm(make_gemm(item(a, i), item(b, i / group), ta, tb, item(c, i)),
               static_cast<char*>(step.scratch) + worker * scratch);
  });
}

// --- binding
// -----------------------------------------------------------------------------------------

int64_t scratch_bytes(const BindRequest& request, const TensorView& a, const TensorView& b, bool ta,
                      bool tb, const TensorView& c) {
  const Gemm g = make_gemm(a, b, ta, tb, c);
  return gemm_scratch_bytes(*g.kernels, g.n, g.k, g.c_bf16, request.threads);
}

bool gemm_types(DType a, DType b, DType c) {
  if (a == DType::f32) return b == DType::f32 && c == DType::f32;
  return a == DType::bf16 && b == DType::bf16 && (c == DType::f32 || c == DType::bf16);
}

std::optional<BoundKernel> bind_linear(const BindRequest& request) {
  if (request.inputs.size() != request.outputs.size() + 1) return std::nullopt;
  if (request.in(0) == DType::f32) {
    for (size_t i = 0; i < request.outputs.size(); ++i)
      if (!has_linear(request.in(i + 1)) || request.out(i) != DType::f32) return std::nullopt;
    const FloatRows rows = rows_of(request.inputs[0], request.inputs.subspan(1));
    return BoundKernel{run_linear_f32, rows.rounded_bytes()};
  }
  BoundKernel bound{run_linear_bf16, 0};
  for (size_t i = 0; i < request.outputs.size(); ++i) {
    if (!gemm_types(request.in(0), request.in(i + 1), request.out(i))) return std::nullopt;
    bound.scratch_bytes = std::max(
        bound.scratch_bytes, scratch_bytes(request, request.inputs[0], request.inputs[i + 1], false,
                                           true, request.outputs[i]));
  }
  return bound;
}

std::optional<BoundKernel> bind_matmul(const BindRequest& request) {
  if (!gemm_types(request.in(0), request.in(1), request.out(0))) return std::nullopt;
  return BoundKernel{run_matmul,
                     scratch_bytes(request, request.inputs[0], request.inputs[1],
                                   request.attributes.integer("ta", 0) != 0,
                                   request.attributes.integer("tb", 0) != 0, request.outputs[0])};
}

std::optional<BoundKernel> bind_batch_matmul(const BindRequest& request) {
  if (request.in(0) != DType::f32 || !gemm_types(request.in(0), request.in(1), request.out(0)))
    return std::nullopt;
  const bool ta = request.attributes.integer("ta", 0) != 0;
  const bool tb = request.attributes.integer("tb", 0) != 0;
  const TensorView &a = request.inputs[0], &b = request.inputs[1];
  const int64_t k = ta ? a.shape[-2] : a.shape[-1], n = tb ? b.shape[-2] : b.shape[-1];
  // Every worker may have a product of its own.
  return BoundKernel{run_batch_matmul,
                     request.threads * gemm_scratch_bytes(gemm_kernels_f32(), n, k, false, 1)};
}

constexpr OpBinding kBindings[] = {
    {"linear", bind_linear},
    {"linear_group", bind_linear},
    {"matmul", bind_matmul},
    {"batch_matmul", bind_batch_matmul},
};

}  // namespace

std::span<const OpBinding> matmul_bindings() {
  return kBindings;
}

}  // namespace bantam::cpu
