#pragma once

#include <span>

#include "base/cpu_features.h"
#include "cpu/norm/norm.h"

namespace bantam::cpu {

// Every implementation compiled for this architecture, scalar first, best last.
std::span<const KernelEntry<const NormKernels*>> norm_table();

// The best one that may run here.
const NormKernels& norm_kernels();

}  // namespace bantam::cpu
