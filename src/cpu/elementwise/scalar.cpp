#include "cpu/elementwise/lanes/scalar.h"
#include "cpu/elementwise/over_lanes.h"

namespace bantam::cpu::scalar {

constinit const ElementwiseKernels kElementwiseKernels = ElementwiseOverLanes<Lanes>::kernels();

}  // namespace bantam::cpu::scalar
