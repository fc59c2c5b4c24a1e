#include "base/cpu_features.h"
#include "cpu/matmul/gemm.h"

namespace bantam::cpu {

#if defined(__x86_64__)
namespace x86_bf16 {
extern const RoundedKernels rounded_kernels;
}
namespace x86_amx {
extern const RoundedKernels rounded_kernels;
}
#elif defined(__aarch64__)
namespace arm_bf16 {
extern const RoundedKernels rounded_kernels;
}
#endif

namespace {

constexpr LinearKernels kLinearScalar{scalar::linear_f32, scalar::linear_f16, scalar::linear_bf16};
// Without arithmetic on bf16 pairs the elements are widened while packing and the f32 kernels run.
constexpr GemmKernels kF32Scalar{1,
                                 4,
                                 kMostInnerK,
                                 scalar::pack_f32,
                                 scalar::pack_f32,
                                 scalar::panel_f32,
                                 nullptr,
                                 scalar::enter,
                                 scalar::leave,
                                 scalar::to_bf16};
constexpr GemmKernels with_packing(GemmKernels kernels, PackKernel pack_a, PackKernel pack_b) {
  kernels.pack_a = pack_a;
  kernels.pack_b = pack_b;
  return kernels;
}
[[maybe_unused]] constexpr GemmKernels with_panel(GemmKernels kernels, PanelKernel panel) {
  kernels.panel = panel;
  return kernels;
}
constexpr GemmKernels kBf16Scalar =
    with_packing(kF32Scalar, scalar::pack_widened, scalar::pack_widened);

#if defined(__x86_64__)
// A panel and half a strip of this length share a first-level cache of 32 KiB.
constexpr int64_t kF32InnerK = 256;
constexpr LinearKernels kLinearAvx2{x86_avx2::linear_f32, x86_avx2::linear_f16,
                                    x86_avx2::linear_bf16};
constexpr LinearKernels kLinearAvx512{x86_avx512::linear_f32, x86_avx512::linear_f16,
                                      x86_avx512::linear_bf16};
constexpr GemmKernels kF32Avx2{1,
                               4,
                               kF32InnerK,
                               x86_avx2::pack_f32,
                               x86_avx2::pack_f32,
                               x86_avx2::panel_f32,
                               nullptr,
                               scalar::enter,
                               scalar::leave,
                               x86_avx2::to_bf16};
constexpr GemmKernels kBf16Avx2 =
    with_packing(kF32Avx2, x86_avx2::pack_widened, x86_avx2::pack_widened);
constexpr GemmKernels kF32Avx512{1,
                                 4,
                                 kMostInnerK,
                                 x86_avx512::pack_f32,
                                 x86_avx512::pack_f32,
                                 x86_avx512::panel_f32,
                                 nullptr,
                                 scalar::enter,
                                 scalar::leave,
                                 x86_avx512::to_bf16};
constexpr GemmKernels kBf16Avx512 =
    with_packing(kF32Avx512, x86_avx512::pack_widened, x86_avx512::pack_widened);
constexpr GemmKernels kBf16Pairs{kPairStep,
                                 2,
                                 kMostInnerK,
                                 x86_avx512::pack_pairs_a,
                                 x86_avx512::pack_pairs_b,
                                 x86_bf16::panel_pairs,
                                 nullptr,
                                 scalar::enter,
                                 scalar::leave,
                                 x86_bf16::to_bf16};
constexpr GemmKernels kBf16Amx{kPairStep,
                               2,
                               kMostInnerK,
                               x86_avx512::pack_pairs_a,
                               x86_avx512::pack_pairs_b,
                               x86_amx::panel_pairs,
                               x86_amx::panel_pairs_rounded,
                               x86_amx::enter,
                               x86_amx::leave,
                               x86_bf16::to_bf16};
#elif defined(__aarch64__)
constexpr LinearKernels kLinearNeon{arm_neon::linear_f32, arm_neon::linear_f16,
                                    arm_neon::linear_bf16};
constexpr GemmKernels kF32Neon = with_panel(kF32Scalar, arm_neon::panel_f32);
constexpr GemmKernels kBf16Neon = with_panel(kBf16Scalar, arm_neon::panel_f32);
constexpr GemmKernels kBf16Quads{kQuadStep,
                                 2,
                                 kMostInnerK,
                                 arm_bf16::pack_quads,
                                 arm_bf16::pack_quads,
                                 arm_bf16::panel_quads,
                                 nullptr,
                                 scalar::enter,
                                 scalar::leave,
                                 arm_bf16::to_bf16};
#endif

constexpr KernelEntry<const LinearKernels*> kLinear[] = {
    {Isa::scalar, &kLinearScalar},
#if defined(__x86_64__)
    {Isa::x86_avx2, &kLinearAvx2},
    {Isa::x86_avx512, &kLinearAvx512},
#elif defined(__aarch64__)
    {Isa::arm_neon, &kLinearNeon},
#endif
};

constexpr KernelEntry<const RoundedKernels*> kRounded[] = {
    {Isa::scalar, nullptr},
#if defined(__x86_64__)
    {Isa::x86_bf16, &x86_bf16::rounded_kernels},
    {Isa::x86_amx, &x86_amx::rounded_kernels},
#elif defined(__aarch64__)
    {Isa::arm_bf16, &arm_bf16::rounded_kernels},
#endif
};

constexpr KernelEntry<const GemmKernels*> kGemmF32[] = {
    {Isa::scalar, &kF32Scalar},
#if defined(__x86_64__)
    {Isa::x86_avx2, &kF32Avx2},
    {Isa::x86_avx512, &kF32Avx512},
#elif defined(__aarch64__)
    {Isa::arm_neon, &kF32Neon},
#endif
};

constexpr KernelEntry<const GemmKernels*> kGemmBf16[] = {
    {Isa::scalar, &kBf16Scalar},
#if defined(__x86_64__)
    {Isa::x86_avx2, &kBf16Avx2},  {Isa::x86_avx512, &kBf16Avx512},
    {Isa::x86_bf16, &kBf16Pairs}, {Isa::x86_amx, &kBf16Amx},
#elif defined(__aarch64__)
    {Isa::arm_neon, &kBf16Neon},
    {Isa::arm_bf16, &kBf16Quads},
#endif
};

}  // namespace

std::span<const KernelEntry<const LinearKernels*>> linear_table() {
  return kLinear;
}
std::span<const KernelEntry<const RoundedKernels*>> rounded_table() {
  return kRounded;
}
std::span<const KernelEntry<const GemmKernels*>> gemm_table_f32() {
  return kGemmF32;
}
std::span<const KernelEntry<const GemmKernels*>> gemm_table_bf16() {
  return kGemmBf16;
}

const LinearKernels& linear_kernels() {
  return *best_kernel(kLinear).function;
}
const RoundedKernels* rounded_kernels() {
  return best_kernel(kRounded).function;
}
const GemmKernels& gemm_kernels_f32() {
  return *best_kernel(kGemmF32).function;
}
const GemmKernels& gemm_kernels_bf16() {
  return *best_kernel(kGemmBf16).function;
}

}  // namespace bantam::cpu
