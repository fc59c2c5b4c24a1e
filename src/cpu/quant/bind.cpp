#include <algorithm>

#include "base/thread_pool.h"
#include "cpu/bindings.h"
#include "cpu/quant/linear_rows.h"
#include "cpu/quant/panels/table.h"
#include "cpu/quant/table.h"

namespace bantam::cpu {
namespace {

void run_quantize(const StepContext& c) {
  const TensorView &x = c.inputs[0], &q = c.outputs[0];
  constexpr int64_t kGrain = 128;  // blocks: 16 KiB of input
  const auto kernel = quant_kernels().quantize;
  c.pool.parallel_for(x.shape.elements() / 32, kGrain, [&](int64_t begin, int64_t end, int) {
    kernel(x.as<float>() + begin * 32, q.as<BlockQ8A>() + begin, end - begin);
  });
}

std::optional<BoundKernel> bind_quantize(const BindRequest& r) {
  if (r.in(0) != DType::f32 || r.out(0) != DType::q8a) return {};
  return BoundKernel{run_quantize, 0};
}

// One weight matrix cut into chunks of rows; chunks of all matrices of a step are counted together.
struct Projection {
  const TensorView* w;
  const TensorView* y;
  int64_t chunk_rows, first_chunk, end_chunk;
};

// Rows per chunk: a multiple of 16, at least 16 KiB of weights and, where there is enough to do,
// few enough for four chunks per thread.
int64_t chunk_rows(int64_t row_bytes, int64_t rows, int threads) {
  constexpr int64_t kLeastBytes = 16384;
  const int64_t least = (kLeastBytes + row_bytes - 1) / row_bytes;
  const int64_t even = rows / (int64_t{4} * threads);
  const int64_t chunk = std::max(least, std::min(even, 8 * least));
  return (chunk + kRowMultiple - 1) / kRowMultiple * kRowMultiple;
}

// The activations of a step in panels, where that pays.
struct Panels {
  const PanelKernels* kernels = nullptr;
  std::byte* memory = nullptr;
  int64_t rows = 0, k = 0;

  [[nodiscard]] int64_t count() const { return (rows + kernels->rows - 1) / kernels->rows; }
  [[nodiscard]] int64_t panel_bytes() const { return k / 32 * kernels->group_bytes; }
  [[nodiscard]] int64_t bytes() const { return kernels != nullptr ? count() * panel_bytes() : 0; }
  [[nodiscard]] std::byte* panel(int64_t i) const { return memory + i * panel_bytes(); }
  [[nodiscard]] int64_t rows_of(int64_t i) const {
    return std::min(kernels->rows, rows - i * kernels->rows);
  }

  void pack(const BlockQ8A* x, ThreadPool& pool) const {
    // Rows are packed in pieces, so that all threads have some.
    constexpr int64_t kPiece = 8;
    pool.parallel_for((rows + kPiece - 1) / kPiece, 1, [&](int64_t piece, int64_t, int) {
      const int64_t m = piece * kPiece, first = m % kernels->rows;
      kernels->pack(x + m * (k / 32), first, std::min(kPiece, rows - m), k,
                    panel(m / kernels->rows));
    });
  }
};

// Without kernels where panels would not be used.
Panels panels_of(std::span<const TensorView> inputs) {
  const PanelKernels* kernels = panel_kernels();
  const TensorView& x = inputs[0];
  const bool used = kernels != nullptr && x.shape.rows() >= kernels->least_rows &&
                    std::any_of(inputs.begin() + 1, inputs.end(), [&](const TensorView& w) {
                      return panel_kernel(kernels, w) != nullptr;
                    });
  return {used ? kernels : nullptr, nullptr, x.shape.rows(), x.shape[-1]};
}

Panels pack_panels(const StepContext& c) {
  Panels panels = panels_of(c.inputs);
  panels.memory = static_cast<std::byte*>(c.scratch);
  if (panels.kernels != nullptr) panels.pack(c.inputs[0].as<BlockQ8A>(), c.pool);
  return panels;
}

// y[m, begin .. end - 1] of one matrix: whole groups of rows from panels, where there are any.
void multiply(const TensorView& w, int64_t begin, int64_t end, const BlockQ8A* x, int64_t m,
              const Panels& panels, float* y) {
  const int64_t stride = w.shape[0];
  if (const PanelLinear kernel = panel_kernel(panels.kernels, w); kernel != nullptr) {
    const int64_t rows = (end - begin) / kRowMultiple * kRowMultiple;
    const auto* from = w.as<const uint8_t>() + begin * row_bytes(w.dtype, panels.k);
    for (int64_t i = 0; i < panels.count(); ++i) {
      kernel(panels.panel(i), from, y + i * panels.kernels->rows * stride + begin,
             {panels.rows_of(i), rows, panels.k, stride});
    }
    begin += rows;
  }
  if (begin < end) linear_rows(w, begin, end, x, m, y + begin, stride);
}

// linear_group with one matrix is linear: outputs[i] = x inputs[i + 1]^T.
void run_linear(const StepContext& c) {
  constexpr size_t kMostProjections = 16;
  Projection projections[kMostProjections];
  const size_t count = c.outputs.size();
  int64_t chunks = 0;
  for (size_t i = 0; i < count; ++i) {
    const TensorView& w = c.inputs[i + 1];
    Projection& p = projections[i];
    p.w = &w;
    p.y = &c.outputs[i];
    p.chunk_rows = chunk_rows(row_bytes(w.dtype, w.shape[1]), w.shape[0], c.pool.size());
    p.first_chunk = chunks;
    chunks += (w.shape[0] + p.chunk_rows - 1) / p.chunk_rows;
    p.end_chunk = chunks;
  }
  const TensorView& x = c.inputs[0];
  const int64_t m = x.shape.rows();
  if (m == 0) return;
  const Panels panels = pack_panels(c);
  c.pool.parallel_for(chunks, 1, [&](int64_t chunk, int64_t, int) {
    const Projection* p = projections;
    while (chunk >= p->end_chunk) ++p;
    const int64_t begin = (chunk - p->first_chunk) * p->chunk_rows;
    const int64_t end = std::min(begin + p->chunk_rows, p->w->shape[0]);
    multiply(*p->w, begin, end, x.as<BlockQ8A>(), m, panels, p->y->as<float>());
  });
}

std::optional<BoundKernel> bind_linear(const BindRequest& r) {
  if (r.in(0) != DType::q8a || r.inputs.size() != r.outputs.size() + 1 || r.outputs.size() > 16) {
    return {};
  }
  for (size_t i = 0; i < r.outputs.size(); ++i) {
    if (!has_linear_rows(r.inputs[i + 1]) || r.out(i) != DType::f32) return {};
  }
  return BoundKernel{run_linear, panels_of(r.inputs).bytes()};
}

constexpr OpBinding kBindings[] = {
    {"quantize", bind_quantize},
    {"linear", bind_linear, true},
    {"linear_group", bind_linear, true},
};

}  // namespace

std::span<const OpBinding> quant_bindings() {
  return kBindings;
}

}  // namespace bantam::cpu
