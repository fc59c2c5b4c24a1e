#pragma once

#include <span>

#include "base/cpu_features.h"
#include "cpu/loss/loss.h"

namespace bantam::cpu {

// Every implementation compiled for this architecture, scalar first, best last.
std::span<const KernelEntry<const LossKernels*>> loss_table();

// The best one that may run here.
const LossKernels& loss_kernels();

}  // namespace bantam::cpu
