#pragma once

#include <span>

#include "base/cpu_features.h"
#include "cpu/quant/quant.h"

namespace bantam::cpu {

// Every implementation compiled for this architecture, scalar first, best last.
std::span<const KernelEntry<const QuantKernels*>> quant_table();

// The best one that may run here.
const QuantKernels& quant_kernels();

}  // namespace bantam::cpu
