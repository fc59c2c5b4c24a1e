#pragma once

#include <span>

#include "base/cpu_features.h"
#include "cpu/quant/panels/panels.h"

namespace bantam::cpu {

// Every implementation compiled for this architecture, best last; null entries multiply as fast
// without panels.
std::span<const KernelEntry<const PanelKernels*>> panel_table();

// The kernels for panels of the best instruction set that may run; null if it multiplies as fast
// without.
const PanelKernels* panel_kernels();

}  // namespace bantam::cpu
