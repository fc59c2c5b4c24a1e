#pragma once

#include <optional>

#include "cpu/bindings.h"

namespace bantam::cpu {

// gated_linear of q8a and quantised weights, to q8a. Scratch: panels, and a piece of both products
// for each thread.
std::optional<BoundKernel> bind_gated_linear(const BindRequest& r);

}  // namespace bantam::cpu
