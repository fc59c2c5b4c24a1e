#include "cpu/recurrence/table.h"

namespace bantam::cpu {
namespace {

constexpr KernelEntry<const RecurrenceKernels*> kTable[] = {
    {Isa::scalar, &scalar::kRecurrenceKernels},
#if defined(__x86_64__)
    {Isa::x86_avx2, &x86_avx2::kRecurrenceKernels},
    {Isa::x86_avx512, &x86_avx512::kRecurrenceKernels},
#elif defined(__aarch64__)
    {Isa::arm_neon, &arm_neon::kRecurrenceKernels},
#endif
};

}  // namespace

std::span<const KernelEntry<const RecurrenceKernels*>> recurrence_table() {
  return kTable;
}

const RecurrenceKernels& recurrence_kernels() {
  static const RecurrenceKernels& best = *best_kernel(kTable).function;
  return best;
}

}  // namespace bantam::cpu
