#include <algorithm>

#include "cpu/bindings.h"
#include "cpu/elementwise/chunks.h"
#include "cpu/reduce/table.h"

namespace bantam::cpu {
namespace {

bool is_float(DType t) {
  return t == DType::f32 || t == DType::bf16;
}
int index(const TensorView& v) {
  return v.dtype == DType::bf16;
}
std::byte* at(const TensorView& v, int64_t i) {
  return v.as<std::byte>() + i * (v.dtype == DType::bf16 ? 2 : 4);
}
constexpr int64_t kFloat = sizeof(float);

// --- sums ----------------------------------------------------------------------------------------

void run_row_sum(const StepContext& c) {
  const TensorView& x = c.inputs[0];
  const int64_t C = x.shape[-1];
  auto* y = c.outputs[0].as<float>();
  const SumFn kernel = reduce_kernels().sum[0];
  c.pool.parallel_for(x.shape.rows(), row_grain(C), [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) y[row] = kernel(at(x, row * C), C);
  });
}

std::optional<BoundKernel> bind_row_sum(const BindRequest& r) {
  if (r.in(0) != DType::f32 || r.out(0) != DType::f32) return {};
  return BoundKernel{run_row_sum, 0};
}

int64_t kept_columns(const Attributes& attributes, const Shape& x) {
  int64_t columns = 1;
  for (int i = 1; i <= attributes.integer("trailing", 1); ++i) columns *= x[-i];
  return columns;
}

// Chunks of rows leave their sums in scratch: [chunks, C].
void run_column_sum(const StepContext& c) {
  const TensorView& x = c.inputs[0];
  const int64_t C = kept_columns(c.attributes, x.shape);
  const int64_t rows = x.shape.elements() / std::max<int64_t>(1, C), chunks = chunk_count(rows);
  auto* partials = static_cast<float*>(c.scratch);
  const ColumnSumFn kernel = reduce_kernels().column_sum[index(x)];
  c.pool.parallel_for(chunks, row_grain(kChunkRows * C), [&](int64_t begin, int64_t end, int) {
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      const int64_t row = chunk * kChunkRows;
      std::fill_n(partials + chunk * C, C, 0.0f);
      kernel(at(x, row * C), partials + chunk * C, std::min(kChunkRows, rows - row), C);
    }
  });
  sum_chunks(partials, chunks, C, c.outputs[0].as<float>(), c.pool);
}

std::optional<BoundKernel> bind_column_sum(const BindRequest& r) {
  if (!is_float(r.in(0)) || r.out(0) != DType::f32) return {};
  const Shape& x = r.inputs[0].shape;
  const int64_t C = kept_columns(r.attributes, x);
  const int64_t chunks = chunk_count(x.elements() / std::max<int64_t>(1, C));
  return BoundKernel{run_column_sum, chunks * C * kFloat};
}

// Chunks of elements are summed in float, the chunks in double.
constexpr int64_t kSumChunk = 4096;

void sum_all(const StepContext& c, SumFn kernel) {
  const TensorView& x = c.inputs[0];
  const int64_t n = x.shape.elements(), chunks = (n + kSumChunk - 1) / kSumChunk;
  auto* partials = static_cast<float*>(c.scratch);
  c.pool.parallel_for(chunks, kGrain / kSumChunk, [&](int64_t begin, int64_t end, int) {
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      const int64_t first = chunk * kSumChunk;
      partials[chunk] = kernel(at(x, first), std::min(kSumChunk, n - first));
    }
  });
  double total = 0;
  for (int64_t chunk = 0; chunk < chunks; ++chunk) total += static_cast<double>(partials[chunk]);
  c.outputs[0].as<float>()[0] = static_cast<float>(total);
}

void run_sum(const StepContext& c) {
  sum_all(c, reduce_kernels().sum[index(c.inputs[0])]);
}
void run_sum_squares(const StepContext& c) {
  sum_all(c, reduce_kernels().sum_squares[index(c.inputs[0])]);
}

template <void (*run)(const StepContext&)>
std::optional<BoundKernel> bind_sum(const BindRequest& r) {
  if (!is_float(r.in(0)) || r.out(0) != DType::f32) return {};
  return BoundKernel{run, (r.inputs[0].shape.elements() + kSumChunk - 1) / kSumChunk * kFloat};
}

// --- broadcasts ----------------------------------------------------------------------------------

void for_rows(const StepContext& c, RowsFn kernel) {
  const TensorView &x = c.inputs[0], &r = c.inputs[1], &y = c.outputs[0];
  const int64_t C = x.shape[-1];
  c.pool.parallel_for(x.shape.rows(), row_grain(C), [&](int64_t begin, int64_t end, int) {
    kernel(x.as<float>() + begin * C, r.as<float>() + begin, y.as<float>() + begin * C, end - begin,
           C);
  });
}

void run_mul_rows(const StepContext& c) {
  for_rows(c, reduce_kernels().mul_rows);
}
void run_add_rows(const StepContext& c) {
  for_rows(c, reduce_kernels().add_rows);
}

template <void (*run)(const StepContext&)>
std::optional<BoundKernel> bind_rows(const BindRequest& r) {
  if (r.in(0) != DType::f32 || r.in(1) != DType::f32 || r.out(0) != DType::f32) return {};
  return BoundKernel{run, 0};
}

void run_broadcast_rows(const StepContext& c) {
  const TensorView &r = c.inputs[0], &y = c.outputs[0];
  const int64_t C = y.shape[-1];
  c.pool.parallel_for(y.shape.rows(), row_grain(C), [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      std::fill_n(y.as<float>() + row * C, C, r.as<float>()[row]);
    }
  });
}

std::optional<BoundKernel> bind_broadcast_rows(const BindRequest& r) {
  if (r.in(0) != DType::f32 || r.out(0) != DType::f32) return {};
  return BoundKernel{run_broadcast_rows, 0};
}

constexpr OpBinding kBindings[] = {
    {"row_sum", bind_row_sum},
    {"column_sum", bind_column_sum},
    {"sum", bind_sum<run_sum>},
    {"sum_squares", bind_sum<run_sum_squares>},
    {"mul_rows", bind_rows<run_mul_rows>},
    {"add_rows", bind_rows<run_add_rows>},
    {"broadcast_rows", bind_broadcast_rows},
};

}  // namespace

std::span<const OpBinding> reduce_bindings() {
  return kBindings;
}

}  // namespace bantam::cpu
