#include "cpu/elementwise/lanes/x86_avx512.h"
#include "cpu/softmax/over_lanes.h"

namespace bantam::cpu::x86_avx512 {

constinit const SoftmaxKernels kSoftmaxKernels = SoftmaxOverLanes<Lanes>::kernels();

}  // namespace bantam::cpu::x86_avx512
