#include "cpu/optimiser/table.h"

namespace bantam::cpu {
namespace {

constexpr KernelEntry<AdamwFn> kTable[] = {
    {Isa::scalar, scalar::adamw},
#if defined(__x86_64__)
    {Isa::x86_avx2, x86_avx2::adamw},
    {Isa::x86_avx512, x86_avx512::adamw},
#elif defined(__aarch64__)
    {Isa::arm_neon, arm_neon::adamw},
#endif
};

}  // namespace

std::span<const KernelEntry<AdamwFn>> adamw_table() {
  return kTable;
}

AdamwFn adamw_kernel() {
  static const AdamwFn best = best_kernel(kTable).function;
  return best;
}

}  // namespace bantam::cpu
