#include "cpu/quant/linear_rows.h"

#include <algorithm>

#include "cpu/quant/table.h"

namespace bantam::cpu {
namespace {

constexpr DType kFormatTypes[kWeightFormats] = {DType::q8_0, DType::q4_0, DType::q4_1,
                                                DType::q4_k, DType::q5_k, DType::q6_k};

// The row of the kernel table for a weight type, -1 if there is none.
int format_of(DType type) {
  const auto* found = std::find(std::begin(kFormatTypes), std::end(kFormatTypes), type);
  return found == std::end(kFormatTypes) ? -1 : static_cast<int>(found - kFormatTypes);
}

}  // namespace

bool has_linear_rows(DType weights) {
  return format_of(weights) >= 0;
}

// Rows that do not fill a vector go to the scalar kernel, which gives the same bits.
void linear_rows(DType weights, const uint8_t* w, int64_t rows, int64_t k, const BlockQ8A* x,
                 int64_t m, float* y, int64_t y_stride) {
  const int format = format_of(weights);
  const QuantKernels& best = quant_kernels();
  const QuantKernels& scalar = *quant_table().front().function;
  const int64_t full = rows / best.row_multiple * best.row_multiple;
  const auto call = [&](const QuantKernels& kernels, int64_t from, int64_t to) {
    if (from == to) return;
    kernels.linear[format](x, w + from * row_bytes(weights, k), y + from,
                           {m, to - from, k, y_stride});
  };
  call(best, 0, full);
  call(scalar, full, rows);
}

}  // namespace bantam::cpu
