#include "cpu/quant/linear_rows.h"

#include <algorithm>

#include "cpu/quant/table.h"

namespace bantam::cpu {
namespace {

// The row of the kernel table for a weight type, -1 if there is none.
int format_of(DType type) {
  const auto* found = std::find(std::begin(kFormatTypes), std::end(kFormatTypes), type);
  return found == std::end(kFormatTypes) ? -1 : static_cast<int>(found - kFormatTypes);
}

}  // namespace

bool has_linear_rows(const TensorView& weights) {
  const int format = format_of(weights.dtype);
  if (format < 0) return false;
  return weights.layout == Layout::rows ||
         interleaved_kernel(static_cast<WeightFormat>(format)) != nullptr;
}

PanelLinear panel_kernel(const PanelKernels* kernels, const TensorView& weights, int64_t rows) {
  const int format = format_of(weights.dtype);
  if (kernels == nullptr || format < 0 || weights.layout != Layout::interleaved) return nullptr;
  return kernels->kernel(format, rows);
}

// Rows that do not fill the widest vectors go to kernels that take any number; the same bits.
void linear_rows(const TensorView& w, int64_t begin, int64_t end, const BlockQ8A* x, int64_t m,
                 float* y, int64_t y_stride) {
  const auto format = static_cast<WeightFormat>(format_of(w.dtype));
  const int64_t k = w.shape[-1], bytes = row_bytes(w.dtype, k);
  const int64_t full = begin + (end - begin) / kRowMultiple * kRowMultiple;
  const auto call = [&](QuantLinear kernel, int64_t from, int64_t to) {
    if (from == to) return;
    kernel(x, w.as<const uint8_t>() + from * bytes, y + (from - begin),
           {m, to - from, k, y_stride});
  };
  call(w.layout == Layout::interleaved ? interleaved_kernel(format)
                                       : quant_kernels(format, kRowMultiple).linear[format],
       begin, full);
  call(quant_kernels(format, 1).linear[format], full, end);
}

}  // namespace bantam::cpu
