#pragma once

#include "cpu/quant/panels/panels.h"

namespace bantam::cpu {

// The kernels for panels of the best instruction set that may run; null if it multiplies as fast
// without.
const PanelKernels* panel_kernels();

}  // namespace bantam::cpu
