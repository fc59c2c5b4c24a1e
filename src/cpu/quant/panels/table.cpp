#include "cpu/quant/panels/table.h"

namespace bantam::cpu {

#if defined(__x86_64__)
namespace x86_avx2 {
extern const PanelKernels panel_kernels;
}
namespace x86_avxvnni {
extern const PanelKernels panel_kernels;
}
namespace x86_vnni {
extern const PanelKernels panel_kernels;
}
namespace x86_amx {
extern const PanelKernels panel_kernels;
}
#elif defined(__aarch64__)
namespace arm_neon {
extern const PanelKernels panel_kernels;
}
namespace arm_dotprod {
extern const PanelKernels panel_kernels;
}
namespace arm_i8mm {
extern const PanelKernels panel_kernels;
}
#endif

namespace {

constexpr KernelEntry<const PanelKernels*> kTable[] = {
    {Isa::scalar, nullptr},
#if defined(__x86_64__)
    {Isa::x86_avx2, &x86_avx2::panel_kernels},
    {Isa::x86_avxvnni, &x86_avxvnni::panel_kernels},
    {Isa::x86_vnni, &x86_vnni::panel_kernels},
    {Isa::x86_amx, &x86_amx::panel_kernels},
#elif defined(__aarch64__)
    {Isa::arm_neon, &arm_neon::panel_kernels},
    {Isa::arm_dotprod, &arm_dotprod::panel_kernels},
    {Isa::arm_i8mm, &arm_i8mm::panel_kernels},
#endif
};

}  // namespace

std::span<const KernelEntry<const PanelKernels*>> panel_table() {
  return kTable;
}

const PanelKernels* panel_kernels() {
  return best_kernel(kTable).function;
}

}  // namespace bantam::cpu
