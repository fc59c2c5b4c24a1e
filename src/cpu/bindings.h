#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "tensor/backend.h"

namespace bantam::cpu {

// A graph node that asks for a kernel: types and largest extents, no data yet.
struct BindRequest {
  const Attributes& attributes;
  std::span<const TensorView> inputs;
  std::span<const TensorView> outputs;
  int threads;

  [[nodiscard]] DType in(size_t i) const { return inputs[i].dtype; }
  [[nodiscard]] DType out(size_t i) const { return outputs[i].dtype; }
};

// How one op is bound to the kernels of a family; nothing if these types have no kernel.
struct OpBinding {
  std::string_view op;
  std::optional<BoundKernel> (*bind)(const BindRequest&);
  bool interleaved = false;  // whether it reads weights in that layout
};

// One list per kernel family, each in its folder's bind.cpp. backend.cpp joins them.
std::span<const OpBinding> attention_bindings();
std::span<const OpBinding> columns_bindings();
std::span<const OpBinding> elementwise_bindings();
std::span<const OpBinding> embedding_bindings();
std::span<const OpBinding> fused_bindings();
std::span<const OpBinding> experts_bindings();
std::span<const OpBinding> loss_bindings();
std::span<const OpBinding> mask_bindings();
std::span<const OpBinding> matmul_bindings();
std::span<const OpBinding> norm_bindings();
std::span<const OpBinding> optimiser_bindings();
std::span<const OpBinding> quant_bindings();
std::span<const OpBinding> recurrence_bindings();
std::span<const OpBinding> reduce_bindings();
std::span<const OpBinding> rope_bindings();
std::span<const OpBinding> screened_linear_bindings();
std::span<const OpBinding> softmax_bindings();

}  // namespace bantam::cpu
