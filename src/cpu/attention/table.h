#pragma once

#include <span>

#include "base/cpu_features.h"
#include "cpu/attention/attention.h"

namespace bantam::cpu::attention {

// All f32 kernels of this build, from scalar to best; the machine may lack some.
std::span<const KernelEntry<const FloatKernels*>> float_table();

}  // namespace bantam::cpu::attention
