#include "cpu/quant/panels/activations.h"

#include <algorithm>

#include "base/thread_pool.h"
#include "cpu/quant/linear_rows.h"
#include "cpu/quant/panels/table.h"
#include "cpu/quant/table.h"

namespace bantam::cpu {
namespace {

// Null if there are none or so many rows are multiplied as fast as they lie.
PanelLinear panel_kernel(const PanelKernels* kernels, const TensorView& weights, int64_t rows) {
  const int format = format_of(weights.dtype);
  if (kernels == nullptr || format < 0 || weights.layout != Layout::interleaved) return nullptr;
  return kernels->kernel(format, rows);
}

}  // namespace

Activations Activations::plan(const BlockQ8A* x, int64_t rows,
                              std::span<const TensorView> weights) {
  const PanelKernels* kernels = panel_kernels();
  const bool used = std::any_of(weights.begin(), weights.end(), [&](const TensorView& w) {
    return panel_kernel(kernels, w, rows) != nullptr;
  });
  return {x, rows, weights.front().shape[-1], used ? kernels : nullptr, nullptr};
}

void Activations::pack(int64_t begin, int64_t end) const {
  while (begin < end) {
    const int64_t first = begin % kernels->rows, panel = begin - first;
    const PanelPart part{first, std::min(end - begin, kernels->rows - first),
                         std::min(kernels->rows, rows - panel)};
    kernels->pack(x + begin * (k / 32), part, k, panels + kernels->bytes(panel, k));
    begin += part.count;
  }
}

Activations Activations::of_step(const StepContext& c) {
  const TensorView& x = c.inputs[0];
  Activations all = plan(x.as<BlockQ8A>(), x.shape.rows(), std::span(c.inputs).subspan(1));
  if (all.kernels == nullptr) return all;
  all.panels = static_cast<std::byte*>(c.scratch);
  // In pieces, so that all threads have some.
  constexpr int64_t kPiece = 8;
  c.pool.parallel_for(all.rows, kPiece,
                      [&](int64_t begin, int64_t end, int) { all.pack(begin, end); });
  return all;
}

int64_t Activations::block_rows() const {
  constexpr int64_t kUnpacked = 64;
  return kernels != nullptr ? kernels->rows : kUnpacked;
}

int64_t Activations::block_rows(int64_t m) const {
  return std::min(block_rows(), rows - m);
}

void Activations::multiply(const TensorView& w, int64_t begin, int64_t end, float* y,
                           int64_t y_stride) const {
  for (int64_t m = 0; m < rows; m += block_rows()) {
    multiply_block(m, w, begin, end, y + m * y_stride, y_stride);
  }
}

void Activations::multiply_block(int64_t m, const TensorView& w, int64_t begin, int64_t end,
                                 float* y, int64_t y_stride) const {
  const int64_t count = block_rows(m);
  if (const PanelLinear kernel = panel_kernel(kernels, w, rows); kernel != nullptr) {
    const int64_t whole = (end - begin) / kRowMultiple * kRowMultiple;
    const auto* from = w.as<const uint8_t>() + begin * row_bytes(w.dtype, k);
    kernel(panels + kernels->bytes(m, k), from, y, {count, whole, k, y_stride});
    begin += whole;
    y += whole;
  }
  if (begin < end) linear_rows(w, begin, end, x + m * (k / 32), count, y, y_stride);
}

int64_t chunk_rows(int64_t row_bytes, int64_t rows, int threads) {
  constexpr int64_t kLeastBytes = 16384, kPair = 2 * kRowMultiple;  // kernels like two groups
  const int64_t least = (kLeastBytes + row_bytes - 1) / row_bytes;
  const int64_t even = rows / (int64_t{4} * threads);
  const int64_t chunk = std::max(least, std::min(even, 8 * least));
  return (chunk + kPair - 1) / kPair * kPair;
}

}  // namespace bantam::cpu
