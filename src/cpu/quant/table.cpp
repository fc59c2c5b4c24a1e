#include "cpu/quant/table.h"

#include <algorithm>

namespace bantam::cpu {

namespace scalar {
extern const QuantKernels quant_kernels;
}
#if defined(__x86_64__)
namespace x86_avx2 {
extern const QuantKernels quant_kernels;
}
namespace x86_avxvnni {
extern const QuantKernels quant_kernels;
}
namespace x86_vnni {
extern const QuantKernels quant_kernels;
}
#elif defined(__aarch64__)
namespace arm_neon {
extern const QuantKernels quant_kernels;
}
namespace arm_dotprod {
extern const QuantKernels quant_kernels;
}
namespace arm_i8mm {
extern const QuantKernels quant_kernels;
}
#endif

namespace {

constexpr KernelEntry<const QuantKernels*> kTable[] = {
    {Isa::scalar, &scalar::quant_kernels},
#if defined(__x86_64__)
    {Isa::x86_avx2, &x86_avx2::quant_kernels},
    {Isa::x86_avxvnni, &x86_avxvnni::quant_kernels},
    {Isa::x86_vnni, &x86_vnni::quant_kernels},
#elif defined(__aarch64__)
    {Isa::arm_neon, &arm_neon::quant_kernels},
    {Isa::arm_dotprod, &arm_dotprod::quant_kernels},
    {Isa::arm_i8mm, &arm_i8mm::quant_kernels},
#endif
};

}  // namespace

std::span<const KernelEntry<const QuantKernels*>> quant_table() {
  return kTable;
}

int format_of(DType type) {
  const auto* found = std::find(std::begin(kFormatTypes), std::end(kFormatTypes), type);
  return found == std::end(kFormatTypes) ? -1 : static_cast<int>(found - kFormatTypes);
}

const QuantKernels& quant_kernels() {
  return *best_kernel(kTable).function;
}

const QuantKernels& quant_kernels(WeightFormat format, int64_t rows) {
  const QuantKernels* best = kTable[0].function;
  for (const auto& [isa, kernels] : kTable) {
    const auto need = static_cast<uint32_t>(isa);
    const bool allowed = (need & allowed_isas()) == need;
    const bool able = kernels->linear[format] != nullptr && rows % kernels->row_multiple == 0;
    if (allowed && able) best = kernels;
  }
  return *best;
}

QuantLinear interleaved_kernel(WeightFormat format) {
  QuantLinear best = nullptr;
  for (const auto& [isa, kernels] : kTable) {
    const auto need = static_cast<uint32_t>(isa);
    const bool allowed = (need & allowed_isas()) == need;
    if (allowed && kernels->interleaved[format] != nullptr) best = kernels->interleaved[format];
  }
  return best;
}

}  // namespace bantam::cpu
