#include "cpu/elementwise/lanes/x86_avx512.h"
#include "cpu/rope/over_lanes.h"

namespace bantam::cpu::x86_avx512 {

constinit const RopeKernels kRopeKernels = RopeOverLanes<Lanes>::kernels();

}  // namespace bantam::cpu::x86_avx512
