#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bantam {

// Instruction-set features as a bit set. A kernel file's name says which of the named sets below it
// needs: `x86_avx2` = AVX2+FMA+F16C, `x86_avxvnni` = avx2 + AVX-VNNI (dot products of 256 bits, on
// processors of laptops), `x86_avx512` = F+BW+DQ+VL, `x86_vnni` = avx512 + VNNI, `x86_bf16` =
// avx512 + BF16, `x86_amx` = avx512 + BF16 + VNNI + AMX tile/int8/bf16 with the kernel's permission
// granted, `arm_neon`, `arm_dotprod`, `arm_i8mm`, `arm_bf16`.
enum class Isa : uint32_t {
  scalar = 0,
  x86_avx2 = 1u << 0,
  x86_avx512 = 1u << 1,
  x86_vnni = 1u << 2,
  x86_bf16 = 1u << 3,
  x86_amx = 1u << 4,
  x86_avxvnni = 1u << 5,
  arm_neon = 1u << 8,
  arm_dotprod = 1u << 9,
  arm_i8mm = 1u << 10,
  arm_bf16 = 1u << 11,
};

std::string_view isa_name(Isa isa);

// What this processor and operating system offer (AMX permission is requested on first use).
uint32_t detected_isas();

// Counts these among the detected ones: for tests whose process carries out the instructions itself
// (tests/emulation). Before the first kernel is chosen.
void claim_isas(uint32_t isas);

// What kernels may use: the detected set, cut down by `force_isa` or by the environment variable
// BANTAM_ISA ("scalar", "avx2", "avxvnni", "avx512", "vnni", "bf16", "amx", "neon", "dotprod",
// "i8mm"), which means that set and everything that it builds on.
uint32_t allowed_isas();

// Restricts kernels to the named set and what it builds on; must be called before the first kernel
// is chosen. Throws ErrorKind::usage for an unknown name or one that this machine lacks.
void force_isa(std::string_view name);

// The names that force_isa would accept here, most basic first.
std::vector<std::string> available_isas();

// One table row of a kernel family: a function and the instruction set that it needs.
template <typename Fn>
struct KernelEntry {
  Isa isa;
  Fn function;
};

// The last entry of the table that may run: tables are ordered from scalar to best.
template <typename Fn, size_t N>
const KernelEntry<Fn>& best_kernel(const KernelEntry<Fn> (&table)[N]) {
  const uint32_t allowed = allowed_isas();
  size_t best = 0;
  for (size_t i = 0; i < N; ++i) {
    const auto need = static_cast<uint32_t>(table[i].isa);
    if ((need & allowed) == need) best = i;
  }
  return table[best];
}

}  // namespace bantam
