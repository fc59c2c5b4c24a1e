#include "cpu/elementwise/lanes/x86_avx2.h"
#include "cpu/loss/rows.h"

namespace bantam::cpu::x86_avx2 {

constinit const LossKernels kLossKernels = LossOverLanes<Lanes>::kernels();

}  // namespace bantam::cpu::x86_avx2
