#include "cpu/loss/table.h"

namespace bantam::cpu {
namespace {

constexpr KernelEntry<const LossKernels*> kTable[] = {
    {Isa::scalar, &scalar::kLossKernels},
#if defined(__x86_64__)
    {Isa::x86_avx2, &x86_avx2::kLossKernels},
    {Isa::x86_avx512, &x86_avx512::kLossKernels},
#elif defined(__aarch64__)
    {Isa::arm_neon, &arm_neon::kLossKernels},
#endif
};

}  // namespace

std::span<const KernelEntry<const LossKernels*>> loss_table() {
  return kTable;
}

const LossKernels& loss_kernels() {
  static const LossKernels& best = *best_kernel(kTable).function;
  return best;
}

}  // namespace bantam::cpu
