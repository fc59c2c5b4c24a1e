#include "cpu/embedding/table.h"

namespace bantam::cpu {
namespace {

constexpr KernelEntry<const EmbeddingKernels*> kTable[] = {
    {Isa::scalar, &scalar::kEmbeddingKernels},
#if defined(__x86_64__)
    {Isa::x86_avx2, &x86_avx2::kEmbeddingKernels},
    {Isa::x86_avx512, &x86_avx512::kEmbeddingKernels},
#elif defined(__aarch64__)
    {Isa::arm_neon, &arm_neon::kEmbeddingKernels},
#endif
};

}  // namespace

std::span<const KernelEntry<const EmbeddingKernels*>> embedding_table() {
  return kTable;
}

const EmbeddingKernels& embedding_kernels() {
  static const EmbeddingKernels& best = *best_kernel(kTable).function;
  return best;
}

}  // namespace bantam::cpu
