#pragma once

#include <span>

#include "base/cpu_features.h"
#include "cpu/optimiser/optimiser.h"

namespace bantam::cpu {

// Every implementation compiled for this architecture, scalar first, best last.
std::span<const KernelEntry<AdamwFn>> adamw_table();

// The best one that may run here.
AdamwFn adamw_kernel();

}  // namespace bantam::cpu
