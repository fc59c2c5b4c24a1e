#pragma once

// The tables that the kernel files of this family define.

#include "cpu/attention/attention.h"

namespace bantam::cpu::attention {

namespace scalar {
extern const FloatKernels kKernels;
}
namespace x86_avx2 {
extern const FloatKernels kKernels;
}
namespace x86_avx512 {
extern const FloatKernels kKernels;
}
namespace arm_neon {
extern const FloatKernels kKernels;
}
namespace x86_amx {
extern const TileKernels kKernels;
extern const SplitKernels kSplitKernels;
}  // namespace x86_amx

}  // namespace bantam::cpu::attention
