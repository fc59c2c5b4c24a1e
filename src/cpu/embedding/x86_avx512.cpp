#include "cpu/elementwise/lanes/x86_avx512.h"
#include "cpu/embedding/over_lanes.h"

namespace bantam::cpu::x86_avx512 {

constinit const EmbeddingKernels kEmbeddingKernels = EmbeddingOverLanes<Lanes>::kernels();

}  // namespace bantam::cpu::x86_avx512
