#include "cpu/elementwise/lanes/arm_neon.h"
#include "cpu/rope/over_lanes.h"

namespace bantam::cpu::arm_neon {

constinit const RopeKernels kRopeKernels = RopeOverLanes<Lanes>::kernels();

}  // namespace bantam::cpu::arm_neon
