#include <algorithm>

#include "cpu/bindings.h"
#include "cpu/elementwise/chunks.h"
#include "cpu/elementwise/table.h"
#include "cpu/fused/gated_linear.h"
#include "cpu/norm/table.h"
#include "cpu/quant/table.h"

// Steps that are the kernels of several families, row by row, while a row is in the first-level
// cache: sums, norms and gated units whose result is normed or quantised.

namespace bantam::cpu {
namespace {

constexpr int64_t kBlockLength = 32;  // of q8a

void quantize_row(const float* row, int64_t columns, BlockQ8A* to) {
  quant_kernels().quantize(row, to, columns / kBlockLength);
}

BlockQ8A* blocks_at(const TensorView& y, int64_t element) {
  return y.as<BlockQ8A>() + element / kBlockLength;
}

// norm(row, to) of each row; quantised on the way if y is. Scratch: a row for each thread.
template <typename Norm>
void run_rows(const StepContext& c, const TensorView& y, const Norm& norm) {
  const int64_t C = y.shape[-1];
  const bool quantized = y.dtype == DType::q8a;
  c.pool.parallel_for(y.shape.rows(), row_grain(C), [&](int64_t begin, int64_t end, int worker) {
    float* row = static_cast<float*>(c.scratch) + worker * C;
    for (int64_t i = begin; i < end; ++i) {
      float* to = quantized ? row : y.as<float>() + i * C;
      norm(i, to);
      if (quantized) quantize_row(row, C, blocks_at(y, i * C));
    }
  });
}

int64_t row_scratch(const BindRequest& r) {
  return r.threads * r.inputs[0].shape[-1] * static_cast<int64_t>(sizeof(float));
}

bool all_f32(const BindRequest& r) {
  return std::all_of(r.inputs.begin(), r.inputs.end(),
                     [](const TensorView& v) { return v.dtype == DType::f32; });
}

void run_rms_norm(const StepContext& c) {
  const TensorView &x = c.inputs[0], &y = c.outputs[0];
  const RmsNormFn norm = norm_kernels().rms_norm[0][0];
  const auto eps = static_cast<float>(c.attributes.real("eps"));
  const int64_t C = x.shape[-1];
  run_rows(c, y, [&](int64_t i, float* to) {
    norm(x.as<float>() + i * C, c.inputs[1].as<float>(), to, 1, C, eps);
  });
}

void run_layer_norm(const StepContext& c) {
  const TensorView &x = c.inputs[0], &y = c.outputs[0];
  const LayerNormFn norm = norm_kernels().layer_norm[0][0];
  const auto eps = static_cast<float>(c.attributes.real("eps"));
  const int64_t C = x.shape[-1];
  run_rows(c, y, [&](int64_t i, float* to) {
    norm(x.as<float>() + i * C, c.inputs[1].as<float>(), c.inputs[2].as<float>(), to, 1, C, eps);
  });
}

void run_add_rms_norm(const StepContext& c) {
  const TensorView &a = c.inputs[0], &b = c.inputs[1], &sum = c.outputs[0];
  const BinaryFn add = elementwise_kernels().binary[kAdd][0][0];
  const RmsNormFn norm = norm_kernels().rms_norm[0][0];
  const auto eps = static_cast<float>(c.attributes.real("eps"));
  const int64_t C = a.shape[-1];
  run_rows(c, c.outputs[1], [&](int64_t i, float* to) {
    float* row = sum.as<float>() + i * C;
    add(a.as<float>() + i * C, b.as<float>() + i * C, row, C);
    norm(row, c.inputs[2].as<float>(), to, 1, C, eps);
  });
}

// No row matters here: pieces that fit a buffer on the stack.
void run_swiglu(const StepContext& c) {
  constexpr int64_t kPiece = 1024;
  const TensorView &gate = c.inputs[0], &up = c.inputs[1], &y = c.outputs[0];
  const SwigluFn swiglu = elementwise_kernels().swiglu[0];
  const int64_t pieces = (gate.shape.elements() + kPiece - 1) / kPiece;
  c.pool.parallel_for(pieces, kGrain / kPiece, [&](int64_t begin, int64_t end, int) {
    float piece[kPiece];
    for (int64_t i = begin * kPiece; i < end * kPiece; i += kPiece) {
      const int64_t n = std::min(kPiece, gate.shape.elements() - i);
      if (n <= 0) return;
      swiglu(gate.as<float>() + i, up.as<float>() + i, piece, n);
      quantize_row(piece, n, blocks_at(y, i));
    }
  });
}

template <void (*run)(const StepContext&)>
std::optional<BoundKernel> bind_quantized(const BindRequest& r) {
  if (!all_f32(r) || r.out(0) != DType::q8a) return {};
  return BoundKernel{run, row_scratch(r)};
}

std::optional<BoundKernel> bind_swiglu(const BindRequest& r) {
  if (!all_f32(r) || r.out(0) != DType::q8a) return {};
  return BoundKernel{run_swiglu, 0};
}

std::optional<BoundKernel> bind_add_rms_norm(const BindRequest& r) {
  if (!all_f32(r) || (r.out(1) != DType::f32 && r.out(1) != DType::q8a)) return {};
  return BoundKernel{run_add_rms_norm, r.out(1) == DType::q8a ? row_scratch(r) : 0};
}

constexpr OpBinding kBindings[] = {
    {"add_rms_norm", bind_add_rms_norm},
    {"gated_linear", bind_gated_linear, true},
    {"layer_norm", bind_quantized<run_layer_norm>},
    {"rms_norm", bind_quantized<run_rms_norm>},
    {"swiglu", bind_swiglu},
};

}  // namespace

std::span<const OpBinding> fused_bindings() {
  return kBindings;
}

}  // namespace bantam::cpu
