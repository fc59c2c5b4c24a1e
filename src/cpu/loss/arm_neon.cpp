#include "cpu/elementwise/lanes/arm_neon.h"
#include "cpu/loss/rows.h"

namespace bantam::cpu::arm_neon {

constinit const LossKernels kLossKernels = LossOverLanes<Lanes>::kernels();

}  // namespace bantam::cpu::arm_neon
