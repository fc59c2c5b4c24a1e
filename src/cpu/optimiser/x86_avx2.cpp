#include "cpu/elementwise/lanes/x86_avx2.h"
#include "cpu/optimiser/over_lanes.h"

namespace bantam::cpu::x86_avx2 {

void adamw(const AdamwSettings& s, float* p, float* m, float* v, const float* gradient, int64_t n) {
  adamw_over_lanes<Lanes>(s, p, m, v, gradient, n);
}

}  // namespace bantam::cpu::x86_avx2
