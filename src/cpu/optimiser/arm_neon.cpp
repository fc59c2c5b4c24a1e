#include "cpu/elementwise/lanes/arm_neon.h"
#include "cpu/optimiser/over_lanes.h"

namespace bantam::cpu::arm_neon {

void adamw(const AdamwSettings& s, float* p, float* m, float* v, const float* gradient, int64_t n) {
  adamw_over_lanes<Lanes>(s, p, m, v, gradient, n);
}

}  // namespace bantam::cpu::arm_neon
