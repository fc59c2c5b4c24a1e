#include "cpu/elementwise/lanes/scalar.h"
#include "cpu/loss/rows.h"

namespace bantam::cpu::scalar {

constinit const LossKernels kLossKernels = LossOverLanes<Lanes>::kernels();

}  // namespace bantam::cpu::scalar
