#include "cpu/peak/table.h"

namespace bantam::cpu {

namespace scalar {
double peak_rounds(int64_t rounds);
}
#if defined(__x86_64__)
namespace x86_avx2 {
double peak_rounds(int64_t rounds);
}
namespace x86_avxvnni {
double peak_rounds(int64_t rounds);
}
namespace x86_vnni {
double peak_rounds(int64_t rounds);
}
namespace x86_amx {
double peak_rounds(int64_t rounds);
}
#elif defined(__aarch64__)
namespace arm_neon {
double peak_rounds(int64_t rounds);
}
namespace arm_dotprod {
double peak_rounds(int64_t rounds);
}
namespace arm_i8mm {
double peak_rounds(int64_t rounds);
}
#endif

namespace {

constexpr KernelEntry<PeakRounds> kTable[] = {
    {Isa::scalar, scalar::peak_rounds},
#if defined(__x86_64__)
    {Isa::x86_avx2, x86_avx2::peak_rounds}, {Isa::x86_avxvnni, x86_avxvnni::peak_rounds},
    {Isa::x86_vnni, x86_vnni::peak_rounds}, {Isa::x86_amx, x86_amx::peak_rounds},
#elif defined(__aarch64__)
    {Isa::arm_neon, arm_neon::peak_rounds},
    {Isa::arm_dotprod, arm_dotprod::peak_rounds},
    {Isa::arm_i8mm, arm_i8mm::peak_rounds},
#endif
};

}  // namespace

std::span<const KernelEntry<PeakRounds>> peak_table() {
  return kTable;
}

PeakRounds peak_rounds() {
  return best_kernel(kTable).function;
}

}  // namespace bantam::cpu
