#include "cpu/elementwise/table.h"

namespace bantam::cpu {
namespace {

constexpr KernelEntry<const ElementwiseKernels*> kTable[] = {
    {Isa::scalar, &scalar::kElementwiseKernels},
#if defined(__x86_64__)
    {Isa::x86_avx2, &x86_avx2::kElementwiseKernels},
    {Isa::x86_avx512, &x86_avx512::kElementwiseKernels},
#elif defined(__aarch64__)
    {Isa::arm_neon, &arm_neon::kElementwiseKernels},
#endif
};

}  // namespace

std::span<const KernelEntry<const ElementwiseKernels*>> elementwise_table() {
  return kTable;
}

const ElementwiseKernels& elementwise_kernels() {
  static const ElementwiseKernels& best = *best_kernel(kTable).function;
  return best;
}

}  // namespace bantam::cpu
