#include "cpu/elementwise/lanes/x86_avx2.h"
#include "cpu/norm/fill_table.h"
#include "cpu/norm/over_lanes.h"

namespace bantam::cpu::x86_avx2 {

constinit const NormKernels kNormKernels = fill_norm_kernels<NormOverLanes<Lanes>>();

}  // namespace bantam::cpu::x86_avx2
