#include "cpu/attention/table.h"

#include "cpu/attention/kernels.h"

namespace bantam::cpu::attention {
namespace {

constexpr KernelEntry<const FloatKernels*> kFloatTable[] = {
    {Isa::scalar, &scalar::kKernels},
#if defined(__x86_64__)
    {Isa::x86_avx2, &x86_avx2::kKernels},
    {Isa::x86_avx512, &x86_avx512::kKernels},
#elif defined(__aarch64__)
    {Isa::arm_neon, &arm_neon::kKernels},
#endif
};

constexpr KernelEntry<const TileKernels*> kTileTable[] = {
    {Isa::scalar, nullptr},
#if defined(__x86_64__)
    {Isa::x86_amx, &x86_amx::kKernels},
#endif
};

constexpr KernelEntry<const SplitKernels*> kSplitTable[] = {
    {Isa::scalar, nullptr},
#if defined(__x86_64__)
    {Isa::x86_amx, &x86_amx::kSplitKernels},
#endif
};

}  // namespace

std::span<const KernelEntry<const FloatKernels*>> float_table() {
  return kFloatTable;
}
const FloatKernels& float_kernels() {
  return *best_kernel(kFloatTable).function;
}
const TileKernels* tile_kernels() {
  return best_kernel(kTileTable).function;
}
const SplitKernels* split_kernels() {
  return best_kernel(kSplitTable).function;
}

}  // namespace bantam::cpu::attention
