#include "cpu/elementwise/lanes/arm_neon.h"
#include "cpu/reduce/over_lanes.h"

namespace bantam::cpu::arm_neon {

constinit const ReduceKernels kReduceKernels = ReduceOverLanes<Lanes>::kernels();

}  // namespace bantam::cpu::arm_neon
