#pragma once

#include <string>
#include <vector>

#include "tensor/backend.h"

namespace bantam {

// The CPU back end: complete, and the reference for the others. Stateless; one object serves any
// number of plans.
class CpuBackend final : public Backend {
 public:
  [[nodiscard]] std::optional<BoundKernel> bind(std::string_view op, const Attributes& attributes,
                                                std::span<const TensorView> inputs,
                                                std::span<const TensorView> outputs,
                                                int threads) const override;
};

const CpuBackend& cpu_backend();

}  // namespace bantam
