#include "cpu/backend.h"

#include <algorithm>

#include "cpu/bindings.h"

namespace bantam {

std::optional<BoundKernel> CpuBackend::bind(std::string_view op, const Attributes& attributes,
                                            std::span<const TensorView> inputs,
                                            std::span<const TensorView> outputs,
                                            int threads) const {
  using Family = std::span<const cpu::OpBinding> (*)();
  static constexpr Family kFamilies[] = {
      cpu::attention_bindings,   cpu::columns_bindings,
      cpu::elementwise_bindings, cpu::embedding_bindings,
      cpu::experts_bindings,     cpu::loss_bindings,
      cpu::mask_bindings,        cpu::matmul_bindings,
      cpu::norm_bindings,        cpu::fused_bindings,
      cpu::optimiser_bindings,   cpu::quant_bindings,
      cpu::recurrence_bindings,  cpu::reduce_bindings,
      cpu::rope_bindings,        cpu::screened_linear_bindings,
      cpu::softmax_bindings,
  };
  const bool interleaved = std::any_of(inputs.begin(), inputs.end(), [](const TensorView& v) {
    return v.layout == Layout::interleaved;
  });
  const cpu::BindRequest request{attributes, inputs, outputs, threads};
  for (const Family family : kFamilies) {
    for (const cpu::OpBinding& binding : family()) {
      if (binding.op != op || (interleaved && !binding.interleaved)) continue;
      if (auto kernel = binding.bind(request)) return kernel;
    }
  }
  return std::nullopt;
}

const CpuBackend& cpu_backend() {
  static const CpuBackend backend;
  return backend;
}

}  // namespace bantam
