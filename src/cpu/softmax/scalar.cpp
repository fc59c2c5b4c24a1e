#include "cpu/elementwise/lanes/scalar.h"
#include "cpu/softmax/over_lanes.h"

namespace bantam::cpu::scalar {

constinit const SoftmaxKernels kSoftmaxKernels = SoftmaxOverLanes<Lanes>::kernels();

}  // namespace bantam::cpu::scalar
