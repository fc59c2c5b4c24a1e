#include "cpu/norm/table.h"

namespace bantam::cpu {
namespace {

constexpr KernelEntry<const NormKernels*> kTable[] = {
    {Isa::scalar, &scalar::kNormKernels},
#if defined(__x86_64__)
    {Isa::x86_avx2, &x86_avx2::kNormKernels},
    {Isa::x86_avx512, &x86_avx512::kNormKernels},
#elif defined(__aarch64__)
    {Isa::arm_neon, &arm_neon::kNormKernels},
#endif
};

}  // namespace

std::span<const KernelEntry<const NormKernels*>> norm_table() {
  return kTable;
}

const NormKernels& norm_kernels() {
  static const NormKernels& best = *best_kernel(kTable).function;
  return best;
}

}  // namespace bantam::cpu
