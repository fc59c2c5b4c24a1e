#pragma once

#include <span>

#include "base/cpu_features.h"
#include "cpu/reduce/reduce.h"

namespace bantam::cpu {

// Every implementation compiled for this architecture, scalar first, best last.
std::span<const KernelEntry<const ReduceKernels*>> reduce_table();

// The best one that may run here.
const ReduceKernels& reduce_kernels();

}  // namespace bantam::cpu
