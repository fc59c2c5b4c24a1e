#pragma once

#include <span>

#include "base/cpu_features.h"
#include "cpu/elementwise/elementwise.h"

namespace bantam::cpu {

// Every implementation compiled for this architecture, scalar first, best last.
std::span<const KernelEntry<const ElementwiseKernels*>> elementwise_table();

// The best one that may run here.
const ElementwiseKernels& elementwise_kernels();

}  // namespace bantam::cpu
