#pragma once

// Rows of activations, packed into panels where that pays, and their products with weights.

#include <cstddef>
#include <cstdint>
#include <span>

#include "cpu/quant/panels/panels.h"
#include "tensor/backend.h"
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
  // Those of a step whose inputs are x and its weights, packed by all its threads into its scratch,
  // of which panel_bytes() are taken.
  static Activations of_step(const StepContext& c);

  // Packs rows begin .. end - 1.
  void pack(int64_t begin, int64_t end) const;
  // y[m, begin .. end - 1] = x[m] w^T for all rows m, with begin a multiple of kRowMultiple if w is
  // interleaved; y: of row 0 and weight row `begin`, y_stride elements from row to row.
  void multiply(const TensorView& w, int64_t begin, int64_t end, float* y, int64_t y_stride) const;

  // Rows that are multiplied together, at most, and the number of those from row m on, a multiple.
  [[nodiscard]] int64_t block_rows() const;
  [[nodiscard]] int64_t block_rows(int64_t m) const;
  // The same for those rows only; y: of row m.
  void multiply_block(int64_t m, const TensorView& w, int64_t begin, int64_t end, float* y,
                      int64_t y_stride) const;
};

// Weight rows, a multiple of 32, for one thread at a time: at least 16 KiB of them and, where there
// is enough to do, few enough for four chunks per thread.
int64_t chunk_rows(int64_t row_bytes, int64_t rows, int threads);

}  // namespace bantam::cpu
