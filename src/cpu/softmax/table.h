#pragma once

#include <span>

#include "base/cpu_features.h"
#include "cpu/softmax/softmax.h"

namespace bantam::cpu {

// Every implementation compiled for this architecture, scalar first, best last.
std::span<const KernelEntry<const SoftmaxKernels*>> softmax_table();

// The best one that may run here.
const SoftmaxKernels& softmax_kernels();

}  // namespace bantam::cpu
