#include "cpu/quant/panels/activations.h"

#include <algorithm>

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

void Activations::multiply(const TensorView& w, int64_t begin, int64_t end, float* y,
                           int64_t y_stride) const {
  if (const PanelLinear kernel = panel_kernel(kernels, w, rows); kernel != nullptr) {
    const int64_t whole = (end - begin) / kRowMultiple * kRowMultiple;
    const auto* from = w.as<const uint8_t>() + begin * row_bytes(w.dtype, k);
    for (int64_t m = 0; m < rows; m += kernels->rows) {
      kernel(panels + kernels->bytes(m, k), from, y + m * y_stride,
             {std::min(kernels->rows, rows - m), whole, k, y_stride});
    }
    begin += whole;
    y += whole;
  }
  if (begin < end) linear_rows(w, begin, end, x, rows, y, y_stride);
}

}  // namespace bantam::cpu
