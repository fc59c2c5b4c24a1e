#include "cpu/reduce/table.h"

namespace bantam::cpu {
namespace {

constexpr KernelEntry<const ReduceKernels*> kTable[] = {
    {Isa::scalar, &scalar::kReduceKernels},
#if defined(__x86_64__)
    {Isa::x86_avx2, &x86_avx2::kReduceKernels},
    {Isa::x86_avx512, &x86_avx512::kReduceKernels},
#elif defined(__aarch64__)
    {Isa::arm_neon, &arm_neon::kReduceKernels},
#endif
};

}  // namespace

std::span<const KernelEntry<const ReduceKernels*>> reduce_table() {
  return kTable;
}

const ReduceKernels& reduce_kernels() {
  static const ReduceKernels& best = *best_kernel(kTable).function;
  return best;
}

}  // namespace bantam::cpu
