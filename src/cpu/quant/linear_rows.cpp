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

bool has_linear_rows(DType weights) {
  return format_of(weights) >= 0;
}

// Rows that do not fill the widest vectors go to kernels that take any number; the same bits.
void linear_rows(DType weights, const uint8_t* w, int64_t rows, int64_t k, const BlockQ8A* x,
                 int64_t m, float* y, int64_t y_stride) {
  const auto format = static_cast<WeightFormat>(format_of(weights));
  const int64_t full = rows / kRowMultiple * kRowMultiple;
  const auto call = [&](const QuantKernels& kernels, int64_t from, int64_t to) {
    if (from == to) return;
    kernels.linear[format](x, w + from * row_bytes(weights, k), y + from,
                           {m, to - from, k, y_stride});
  };
  call(quant_kernels(format, kRowMultiple), 0, full);
  call(quant_kernels(format, 1), full, rows);
}

}  // namespace bantam::cpu
