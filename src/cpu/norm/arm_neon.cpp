#include "cpu/elementwise/lanes/arm_neon.h"
#include "cpu/norm/fill_table.h"
#include "cpu/norm/over_lanes.h"

namespace bantam::cpu::arm_neon {

constinit const NormKernels kNormKernels = fill_norm_kernels<NormOverLanes<Lanes>>();

}  // namespace bantam::cpu::arm_neon
