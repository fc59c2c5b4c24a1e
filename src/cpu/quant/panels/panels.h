#pragma once

// Products of many rows of activations with interleaved weights: quant.h's arithmetic and bits,
// from activations that were packed for it. A panel holds up to `rows` rows, group of 32 by group,
// so that a kernel steps through memory in order and shares what it loads between rows of weights.
//
//   pack      x q8a [count, K] -> rows of a panel
//   linear    y[m, n] = sum over k of panel[m, k] w[n, k]

#include <stdint.h>

#include "cpu/quant/quant.h"
#include "tensor/blocks.h"

namespace bantam::cpu {

// The kernel of one weight format; shape.m: the rows in the panel, shape.n: a multiple of 16.
using PanelLinear = void (*)(const void* panel, const uint8_t* w, float* y,
                             const QuantLinearShape& shape);

// Rows first .. first + count - 1 of a panel of `of` rows.
struct PanelPart {
  int64_t first, count, of;
};

struct PanelKernels {
  int64_t rows;       // of activations in a panel, at most
  int64_t row_step;   // a panel has room for a multiple of it
  int64_t row_bytes;  // of a panel, for each row that there is room for and each 32 elements of K
  void (*pack)(const BlockQ8A* x, const PanelPart& part, int64_t k, void* panel);
  // Fewer rows are multiplied faster as they lie; of bytes, and of all other formats.
  int64_t least_rows_of_bytes, least_rows;
  PanelLinear linear[kWeightFormats];  // null: as without panels

  // The kernel for so many rows; null if they are multiplied as fast without panels.
  [[nodiscard]] constexpr PanelLinear kernel(int format, int64_t count) const {
    return count < (format == kQ8_0 ? least_rows_of_bytes : least_rows) ? nullptr : linear[format];
  }

  // Bytes of panels for so many rows, the last of which need not be full.
  [[nodiscard]] constexpr int64_t bytes(int64_t count, int64_t k) const {
    return (count + row_step - 1) / row_step * row_step * (k / 32) * row_bytes;
  }
};

}  // namespace bantam::cpu
