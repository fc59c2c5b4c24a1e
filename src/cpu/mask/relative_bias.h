#pragma once

#include "cpu/bindings.h"

namespace bantam::cpu {

std::optional<BoundKernel> bind_relative_bias(const BindRequest& request);
std::optional<BoundKernel> bind_relative_bias_grad(const BindRequest& request);

}  // namespace bantam::cpu
