// In builds with BANTAM_SIMULATION the kernels for AVX-VNNI, AVX-512 and AMX need AVX2 only.

#include "base/cpu_features.h"

namespace bantam {
namespace {

[[gnu::constructor]] void claim_instructions() {
  if (!(detected_isas() & static_cast<uint32_t>(Isa::x86_avx2))) return;
  claim_isas(static_cast<uint32_t>(Isa::x86_avxvnni) | static_cast<uint32_t>(Isa::x86_avx512) |
             static_cast<uint32_t>(Isa::x86_vnni) | static_cast<uint32_t>(Isa::x86_bf16) |
             static_cast<uint32_t>(Isa::x86_amx));
}

}  // namespace
}  // namespace bantam
