#include "cpu/elementwise/lanes/arm_neon.h"
#include "cpu/softmax/over_lanes.h"

namespace bantam::cpu::arm_neon {

constinit const SoftmaxKernels kSoftmaxKernels = SoftmaxOverLanes<Lanes>::kernels();

}  // namespace bantam::cpu::arm_neon
