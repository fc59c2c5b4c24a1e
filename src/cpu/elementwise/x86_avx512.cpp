#include "cpu/elementwise/lanes/x86_avx512.h"
#include "cpu/elementwise/over_lanes.h"

namespace bantam::cpu::x86_avx512 {

constinit const ElementwiseKernels kElementwiseKernels = ElementwiseOverLanes<Lanes>::kernels();

}  // namespace bantam::cpu::x86_avx512
