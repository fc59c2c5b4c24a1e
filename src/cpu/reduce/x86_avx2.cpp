#include "cpu/elementwise/lanes/x86_avx2.h"
#include "cpu/reduce/over_lanes.h"

namespace bantam::cpu::x86_avx2 {

constinit const ReduceKernels kReduceKernels = ReduceOverLanes<Lanes>::kernels();

}  // namespace bantam::cpu::x86_avx2
