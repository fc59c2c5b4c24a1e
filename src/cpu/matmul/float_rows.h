#pragma once

// Rows of f32 activations and their products with plain weights: as they are, or rounded to bf16
// for weights of that type where an instruction set multiplies them.

#include <cstdint>
#include <span>

#include "cpu/matmul/matmul.h"
#include "tensor/tensor.h"

namespace bantam::cpu {

// Whether there are kernels for weights of this type.
bool has_linear(DType weights);

struct FloatRows {
  const float* x = nullptr;  // [rows, k]
  int64_t rows = 0, k = 0;
  const RoundedKernels* kernels = nullptr;  // null: not rounded
  uint16_t* rounded = nullptr;

  // With the kernels that rows for these weights would have.
  static FloatRows plan(const float* x, int64_t rows, int64_t k,
                        std::span<const TensorView> weights);

  [[nodiscard]] int64_t panels() const;          // 0: not rounded
  [[nodiscard]] int64_t panel_elements() const;  // of each of them
  [[nodiscard]] int64_t rounded_bytes() const;   // of all
  void round(int64_t panel) const;
  // Rows that are multiplied together, at most; a multiple of panels.
  [[nodiscard]] int64_t block() const;
  // y[rows][n] = x w^T for rows `row` .. of a block and n rows of weights that follow each other.
  void multiply(int64_t row, int64_t count, DType type, const void* w, int64_t n, float* y,
                int64_t ldy) const;
};

}  // namespace bantam::cpu
