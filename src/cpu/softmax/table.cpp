#include "cpu/softmax/table.h"

namespace bantam::cpu {
namespace {

constexpr KernelEntry<const SoftmaxKernels*> kTable[] = {
    {Isa::scalar, &scalar::kSoftmaxKernels},
#if defined(__x86_64__)
    {Isa::x86_avx2, &x86_avx2::kSoftmaxKernels},
    {Isa::x86_avx512, &x86_avx512::kSoftmaxKernels},
#elif defined(__aarch64__)
    {Isa::arm_neon, &arm_neon::kSoftmaxKernels},
#endif
};

}  // namespace

std::span<const KernelEntry<const SoftmaxKernels*>> softmax_table() {
  return kTable;
}

const SoftmaxKernels& softmax_kernels() {
  static const SoftmaxKernels& best = *best_kernel(kTable).function;
  return best;
}

}  // namespace bantam::cpu
