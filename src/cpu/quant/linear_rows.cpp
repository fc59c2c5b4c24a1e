#include "cpu/quant/linear_rows.h"

#include "cpu/quant/table.h"

namespace bantam::cpu {
bool has_linear_rows(const TensorView& weights) {
  const int format = format_of(weights.dtype);
  if (format < 0) return false;
  return weights.layout == Layout::rows ||
         interleaved_kernel(static_cast<WeightFormat>(format)) != nullptr;
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
