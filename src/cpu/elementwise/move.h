#pragma once

#include "cpu/bindings.h"

namespace bantam::cpu {

// Ops that move elements without looking at them.
std::optional<BoundKernel> bind_copy(const BindRequest& request);
std::optional<BoundKernel> bind_transpose(const BindRequest& request);

// y = x, byte for byte; the views are of the same size.
void run_copy(const StepContext& context);

}  // namespace bantam::cpu
