#include "cpu/rope/table.h"

namespace bantam::cpu {
namespace {

constexpr KernelEntry<const RopeKernels*> kTable[] = {
    {Isa::scalar, &scalar::kRopeKernels},
#if defined(__x86_64__)
    {Isa::x86_avx2, &x86_avx2::kRopeKernels},
    {Isa::x86_avx512, &x86_avx512::kRopeKernels},
#elif defined(__aarch64__)
    {Isa::arm_neon, &arm_neon::kRopeKernels},
#endif
};

}  // namespace

std::span<const KernelEntry<const RopeKernels*>> rope_table() {
  return kTable;
}

const RopeKernels& rope_kernels() {
  static const RopeKernels& best = *best_kernel(kTable).function;
  return best;
}

}  // namespace bantam::cpu
