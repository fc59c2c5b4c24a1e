#include "cpu/elementwise/lanes/arm_neon.h"
#include "cpu/embedding/over_lanes.h"

namespace bantam::cpu::arm_neon {

constinit const EmbeddingKernels kEmbeddingKernels = EmbeddingOverLanes<Lanes>::kernels();

}  // namespace bantam::cpu::arm_neon
