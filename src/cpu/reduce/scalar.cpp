#include "cpu/elementwise/lanes/scalar.h"
#include "cpu/reduce/over_lanes.h"

namespace bantam::cpu::scalar {

constinit const ReduceKernels kReduceKernels = ReduceOverLanes<Lanes>::kernels();

}  // namespace bantam::cpu::scalar
