#include "base/cpu_features.h"

#include <atomic>
#include <cstdlib>

#include "base/error.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#endif
#endif

namespace bantam {

namespace {

constexpr uint32_t bit(Isa isa) {
  return static_cast<uint32_t>(isa);
}

// A name that users may give, the set that it stands for and what that set builds on.
struct NamedIsa {
  std::string_view name;
  Isa isa;
  uint32_t closure;
};

constexpr uint32_t kAvx2 = bit(Isa::x86_avx2);
constexpr uint32_t kAvxVnni = kAvx2 | bit(Isa::x86_avxvnni);
constexpr uint32_t kAvx512 = kAvx2 | bit(Isa::x86_avx512);
constexpr uint32_t kVnni = kAvx512 | bit(Isa::x86_vnni);
constexpr uint32_t kBf16 = kAvx512 | bit(Isa::x86_bf16);
constexpr uint32_t kNeon = bit(Isa::arm_neon);
constexpr uint32_t kDotprod = kNeon | bit(Isa::arm_dotprod);

constexpr NamedIsa kNames[] = {
    {"scalar", Isa::scalar, 0},
    {"avx2", Isa::x86_avx2, kAvx2},
    {"avxvnni", Isa::x86_avxvnni, kAvxVnni},
    {"avx512", Isa::x86_avx512, kAvx512},
    {"vnni", Isa::x86_vnni, kVnni},
    {"bf16", Isa::x86_bf16, kBf16},
    {"amx", Isa::x86_amx, kVnni | kBf16 | bit(Isa::x86_amx)},
    {"neon", Isa::arm_neon, kNeon},
    {"dotprod", Isa::arm_dotprod, kDotprod},
    {"i8mm", Isa::arm_i8mm, kDotprod | bit(Isa::arm_i8mm)},
    {"bf16", Isa::arm_bf16, kNeon | bit(Isa::arm_bf16)},
};

#if defined(__x86_64__)

// Intel SDM vol. 1, 13.3: which register states the operating system saves.
uint64_t extended_control_register() {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t{high} << 32) | low;
}

// Linux lets a process use the AMX tile registers only after it has asked.
bool tiles_permitted() {
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

uint32_t detect() {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
  const bool fma = c & bit_FMA, f16c = c & bit_F16C, saves = c & bit_OSXSAVE;
  if (!saves || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
  const unsigned b7 = b, c7 = c, d7 = d;
  const uint64_t states = extended_control_register();
  constexpr uint64_t kYmm = 0x6, kZmm = 0xe6, kTile = 0x60000;

  uint32_t found = 0;
  if ((states & kYmm) != kYmm || !fma || !f16c || !(b7 & bit_AVX2)) return found;
  found |= bit(Isa::x86_avx2);
  unsigned leaf1 = 0;
  __get_cpuid_count(7, 1, &leaf1, &b, &c, &d);
  if (leaf1 & (1u << 4)) found |= bit(Isa::x86_avxvnni);
  constexpr unsigned kFoundation = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
  if ((states & kZmm) != kZmm || (b7 & kFoundation) != kFoundation) return found;
  found |= bit(Isa::x86_avx512);
  if (c7 & bit_AVX512VNNI) found |= bit(Isa::x86_vnni);
  if (leaf1 & (1u << 5)) found |= bit(Isa::x86_bf16);
  constexpr unsigned kAmx = (1u << 22) | (1u << 24) | (1u << 25);  // bf16, tile, int8
  constexpr uint32_t kBelowAmx = kVnni | kBf16;
  if ((found & kBelowAmx) == kBelowAmx && (d7 & kAmx) == kAmx && (states & kTile) == kTile &&
      tiles_permitted()) {
    found |= bit(Isa::x86_amx);
  }
  return found;
}

#elif defined(__aarch64__)

uint32_t detect() {
  uint32_t found = bit(Isa::arm_neon);  // part of the base architecture
#if defined(__linux__)
  // asm/hwcap.h; spelled out because older headers lack the later bits.
  constexpr unsigned long kHwcapDotprod = 1ul << 20, kHwcap2I8mm = 1ul << 13,
                          kHwcap2Bf16 = 1ul << 14;
  if (getauxval(AT_HWCAP) & kHwcapDotprod) {
    found |= bit(Isa::arm_dotprod);
    if (getauxval(AT_HWCAP2) & kHwcap2I8mm) found |= bit(Isa::arm_i8mm);
  }
  if (getauxval(AT_HWCAP2) & kHwcap2Bf16) found |= bit(Isa::arm_bf16);
#endif
  return found;
}

#else

uint32_t detect() {
  return 0;
}

#endif

bool offered(const NamedIsa& row) {
  return (row.closure & detected_isas()) == row.closure;
}

uint32_t closure_of(std::string_view name, std::string_view where) {
  bool known = false;
  for (const NamedIsa& row : kNames) {
    if (row.name != name) continue;
    known = true;
    if (offered(row)) return row.closure;
  }
  std::string names;
  for (const std::string& one : available_isas()) names += (names.empty() ? "" : ", ") + one;
  fail(ErrorKind::usage, where, "expected one of {}, got \"{}\"{}", names, name,
       known ? ", which this machine lacks" : "");
}

constexpr uint32_t kEverything = ~0u;
std::atomic<uint32_t> g_forced{kEverything}, g_claimed{0};

uint32_t environment_isas() {
  const char* name = std::getenv("BANTAM_ISA");
  return name && *name ? closure_of(name, "BANTAM_ISA") : kEverything;
}

}  // namespace

std::string_view isa_name(Isa isa) {
  for (const NamedIsa& row : kNames) {
    if (row.isa == isa) return row.name;
  }
  return "unknown";
}

uint32_t detected_isas() {
  static const uint32_t found = detect();
  return found | g_claimed.load(std::memory_order_relaxed);
}

void claim_isas(uint32_t isas) {
  g_claimed.store(isas, std::memory_order_relaxed);
}

uint32_t allowed_isas() {
  const uint32_t forced = g_forced.load(std::memory_order_relaxed);
  if (forced != kEverything) return detected_isas() & forced;
  static const uint32_t environment = environment_isas();
  return detected_isas() & environment;
}

void force_isa(std::string_view name) {
  g_forced.store(closure_of(name, "--isa"), std::memory_order_relaxed);
}

std::vector<std::string> available_isas() {
  std::vector<std::string> names;
  for (const NamedIsa& row : kNames) {
    if (offered(row)) names.emplace_back(row.name);
  }
  return names;
}

}  // namespace bantam
