#include "cpu/elementwise/lanes/arm_neon.h"
#include "cpu/elementwise/over_lanes.h"

namespace bantam::cpu::arm_neon {

constinit const ElementwiseKernels kElementwiseKernels = ElementwiseOverLanes<Lanes>::kernels();

}  // namespace bantam::cpu::arm_neon
