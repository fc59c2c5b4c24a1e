#pragma once

// Rows of activations, packed into panels where that pays, and their products with weights.

#include <cstddef>
#include <cstdint>
#include <span>

#include "cpu/quant/panels/panels.h"
#include "tensor/tensor.h"

namespace bantam::cpu {

struct Activations {
  const BlockQ8A* x = nullptr;  // [rows, k]
  int64_t rows = 0, k = 0;
  const PanelKernels* kernels = nullptr;  // null: not packed
  std::byte* panels = nullptr;

  // As they lie, with the kernels that panels of so many rows for such weights would have.
  static Activations plan(const BlockQ8A* x, int64_t rows, std::span<const TensorView> weights);

  [[nodiscard]] int64_t panel_bytes() const {
    return kernels != nullptr ? kernels->bytes(rows, k) : 0;
  }
  // Packs rows begin .. end - 1.
  void pack(int64_t begin, int64_t end) const;
  // y[m, begin .. end - 1] = x[m] w^T for all rows m, with begin a multiple of kRowMultiple if w is
  // interleaved; y: of row 0 and weight row `begin`, y_stride elements from row to row.
  void multiply(const TensorView& w, int64_t begin, int64_t end, float* y, int64_t y_stride) const;
};

}  // namespace bantam::cpu
