#include "cpu/matmul/float_rows.h"

#include <algorithm>

#include "cpu/matmul/gemm.h"

namespace bantam::cpu {
namespace {

LinearKernel plain_kernel(DType weights) {
  const LinearKernels& kernels = linear_kernels();
  switch (weights) {
    case DType::f32:
      return kernels.f32;
    case DType::f16:
      return kernels.f16;
    case DType::bf16:
      return kernels.bf16;
    default:
      return nullptr;
  }
}

bool rounds(const RoundedKernels* kernels, DType weights) {
  if (kernels == nullptr) return false;
  return weights == DType::bf16 || (weights == DType::f16 && kernels->multiply_f16 != nullptr);
}

}  // namespace

bool has_linear(DType weights) {
  return plain_kernel(weights) != nullptr;
}

FloatRows FloatRows::plan(const float* x, int64_t rows, int64_t k,
                          std::span<const TensorView> weights) {
  const RoundedKernels* kernels = rounded_kernels();
  const bool any = std::any_of(weights.begin(), weights.end(),
                               [&](const TensorView& w) { return rounds(kernels, w.dtype); });
  return {x, rows, k, any ? kernels : nullptr, nullptr};
}

int64_t FloatRows::panels() const {
  return kernels == nullptr ? 0 : (rows + kernels->step - 1) / kernels->step;
}

int64_t FloatRows::panel_elements() const {
  return kernels == nullptr ? 0 : kernels->step * padded(k);
}

int64_t FloatRows::rounded_bytes() const {
  return panels() * panel_elements() * static_cast<int64_t>(sizeof(uint16_t));
}

void FloatRows::round(int64_t panel) const {
  const int64_t row = panel * kernels->step;
  kernels->pack(x + row * k, k, std::min(kernels->step, rows - row), rounded + row * padded(k));
}

int64_t FloatRows::block() const {
  return kernels != nullptr ? 96 : 48;
}

void FloatRows::multiply(int64_t row, int64_t count, DType type, const void* w, int64_t n, float* y,
                         int64_t ldy) const {
  if (rounds(kernels, type)) {
    const auto kernel = type == DType::bf16 ? kernels->multiply : kernels->multiply_f16;
    kernel(rounded + row * padded(k), static_cast<const uint16_t*>(w), k, count, n, y, ldy);
  } else {
    plain_kernel(type)(x + row * k, k, w, k, count, n, y, ldy);
  }
}

}  // namespace bantam::cpu
