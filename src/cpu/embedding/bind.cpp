#include <algorithm>
#include <cstring>

#include "cpu/bindings.h"
#include "cpu/elementwise/chunks.h"
#include "cpu/embedding/table.h"
#include "tensor/layout.h"

namespace bantam::cpu {
namespace {

bool is_float(DType t) {
  return t == DType::f32 || t == DType::bf16;
}

// table [V, C], ids i32 [N] -> [N, C]. Scratch: one f32 row per thread, for a bf16 result.
void run_embedding(const StepContext& c) {
  const TensorView &table = c.inputs[0], &out = c.outputs[0];
  const auto* ids = c.inputs[1].as<int32_t>();
  const int64_t C = table.shape[-1];
  const int64_t source_bytes = row_bytes(table.dtype, C), out_bytes = row_bytes(out.dtype, C);
  const DTypeInfo& to = dtype_info(out.dtype);
  c.pool.parallel_for(out.shape.rows(), row_grain(C), [&](int64_t begin, int64_t end, int worker) {
    for (int64_t n = begin; n < end; ++n) {
      const std::byte* source = table.as<std::byte>() + ids[n] * source_bytes;
      std::byte* destination = out.as<std::byte>() + n * out_bytes;
      if (table.dtype == out.dtype) {
        std::memcpy(destination, source, static_cast<size_t>(out_bytes));
      } else if (out.dtype == DType::f32) {
        row_to_float(table, ids[n], reinterpret_cast<float*>(destination));
      } else if (table.dtype == DType::f32) {
        to.from_float(reinterpret_cast<const float*>(source), destination, C);
      } else {
        auto* converted = static_cast<float*>(c.scratch) + worker * C;
        row_to_float(table, ids[n], converted);
        to.from_float(converted, destination, C);
      }
    }
  });
}

std::optional<BoundKernel> bind_embedding(const BindRequest& r) {
  const bool convertible = r.in(0) == DType::f32 || dtype_info(r.in(0)).to_float != nullptr;
  if (!convertible || r.in(1) != DType::i32 || !is_float(r.out(0))) return {};
  const int64_t row = r.inputs[0].shape[-1] * static_cast<int64_t>(sizeof(float));
  return BoundKernel{run_embedding, r.out(0) == DType::bf16 ? r.threads * row : 0};
}

// ids i32 [N], dy [N, C] -> dtable f32 [V, C]. A counting sort lists, for each id, the rows where
// it stands, in order; scratch: ends of the lists [V + 1], rows [N].
void run_embedding_grad(const StepContext& c) {
  const TensorView &dy = c.inputs[1], &dtable = c.outputs[0];
  const auto* ids = c.inputs[0].as<int32_t>();
  const int64_t N = c.inputs[0].shape.elements(), V = dtable.shape[0], C = dtable.shape[1];
  auto* starts = static_cast<int32_t*>(c.scratch);
  int32_t* rows = starts + V + 1;
  std::fill_n(starts, V + 1, 0);
  for (int64_t n = 0; n < N; ++n) ++starts[ids[n]];
  for (int64_t v = 0, total = 0; v <= V; ++v) {
    total += starts[v];
    starts[v] = static_cast<int32_t>(total);  // the end of list v ...
  }
  for (int64_t n = N - 1; n >= 0; --n) rows[--starts[ids[n]]] = static_cast<int32_t>(n);
  // ... and, once it is filled from behind, its start.
  const GatherSumFn kernel = embedding_kernels().gather_sum[dy.dtype == DType::bf16];
  c.pool.parallel_for(V, row_grain(C), [&](int64_t begin, int64_t end, int) {
    for (int64_t v = begin; v < end; ++v) {
      kernel(dy.data, C, rows + starts[v], starts[v + 1] - starts[v], dtable.as<float>() + v * C);
    }
  });
}

std::optional<BoundKernel> bind_embedding_grad(const BindRequest& r) {
  if (r.in(0) != DType::i32 || !is_float(r.in(1)) || r.out(0) != DType::f32) return {};
  const int64_t entries = r.outputs[0].shape[0] + 1 + r.inputs[0].shape.elements();
  return BoundKernel{run_embedding_grad, entries * static_cast<int64_t>(sizeof(int32_t))};
}

constexpr OpBinding kBindings[] = {
    {"embedding", bind_embedding, true},
    {"embedding_grad", bind_embedding_grad},
};

}  // namespace

std::span<const OpBinding> embedding_bindings() {
  return kBindings;
}

}  // namespace bantam::cpu
