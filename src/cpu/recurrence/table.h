#pragma once

#include <span>

#include "base/cpu_features.h"
#include "cpu/recurrence/recurrence.h"

namespace bantam::cpu {

// Every implementation compiled for this architecture, scalar first, best last.
std::span<const KernelEntry<const RecurrenceKernels*>> recurrence_table();

// The best one that may run here.
const RecurrenceKernels& recurrence_kernels();

}  // namespace bantam::cpu
