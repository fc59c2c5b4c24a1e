#include "cpu/quant/panels/table.h"

#include "base/cpu_features.h"

namespace bantam::cpu {

#if defined(__x86_64__)
namespace x86_avx2 {
extern const PanelKernels panel_kernels;
}
#endif

namespace {

constexpr KernelEntry<const PanelKernels*> kTable[] = {
    {Isa::scalar, nullptr},
#if defined(__x86_64__)
    {Isa::x86_avx2, &x86_avx2::panel_kernels},
    {Isa::x86_vnni, nullptr},
#endif
};

}  // namespace

const PanelKernels* panel_kernels() {
  return best_kernel(kTable).function;
}

}  // namespace bantam::cpu
