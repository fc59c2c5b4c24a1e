#pragma once

#include <span>

#include "base/cpu_features.h"
#include "cpu/rope/rope.h"

namespace bantam::cpu {

// Every implementation compiled for this architecture, scalar first, best last.
std::span<const KernelEntry<const RopeKernels*>> rope_table();

// The best one that may run here.
const RopeKernels& rope_kernels();

}  // namespace bantam::cpu
