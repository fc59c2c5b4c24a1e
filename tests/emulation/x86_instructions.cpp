// Lets kernels for AMX and AVX512-BF16 run on a processor (or under an emulator) that has AVX-512
// and VNNI only: with BANTAM_EMULATE=amx in the environment, the tile and bf16 instructions that it
// refuses are carried out here, after Intel's manual, and the two sets count as detected. Linked by
// builds with BANTAM_EMULATION alone. Every form of the tile instructions is known; of bf16's,
// those over whole 512-bit registers.

#include <cpuid.h>
#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "base/cpu_features.h"
#include "tiles.h"

namespace bantam {
namespace {

using namespace emulation;

enum class Prefix : uint8_t { none, p66, pf3, pf2 };

// An instruction of the map 0F38 with a VEX or EVEX prefix; register numbers complete.
struct Instruction {
  bool evex = false, wide = false, plain512 = false;
  Prefix prefix = Prefix::none;
  uint8_t opcode = 0;
  int reg = 0, other = 0, rm = 0;  // ModRM.reg, the prefix's vvvv, ModRM.rm
  bool memory = false, has_sib = false;
  uint64_t base = 0, index = 0;  // the address without its index; the index, scaled
  int length = 0;
};

uint64_t general_register(const ucontext_t& context, int number) {
  constexpr int kPlaces[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                               REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                               REG_R12, REG_R13, REG_R14, REG_R15};
  return static_cast<uint64_t>(context.uc_mcontext.gregs[kPlaces[number]]);
}

// What ModRM says behind the prefix; x, b: the prefix's further bits of index and base.
const uint8_t* decode_operand(const uint8_t* at, const ucontext_t& context, int x, int b,
                              Instruction& in) {
  const uint8_t modrm = *at++;
  const int mode = modrm >> 6;
  in.reg |= modrm >> 3 & 7;
  if (mode == 3) {
    in.rm = (modrm & 7) | b << 3 | (in.evex ? x << 4 : 0);
    return at;
  }
  in.memory = true;
  int base = modrm & 7;
  bool relative = mode == 0 && base == 5, no_base = false;
  if (base == 4) {
    in.has_sib = true;
    const uint8_t sib = *at++;
    const int index = (sib >> 3 & 7) | x << 3;
    if (index != 4) in.index = general_register(context, index) << (sib >> 6);
    base = sib & 7;
    no_base = mode == 0 && base == 5;
  }
  if (!relative && !no_base) in.base = general_register(context, base | b << 3);
  if (mode == 1) {
    in.base += static_cast<uint64_t>(int64_t{static_cast<int8_t>(*at++)});
  } else if (mode == 2 || relative || no_base) {
    int32_t displacement;
    std::memcpy(&displacement, at, 4);
    at += 4;
    in.base += static_cast<uint64_t>(int64_t{displacement});
    if (relative) in.base += reinterpret_cast<uint64_t>(at);
  }
  return at;
}

bool decode(const uint8_t* start, const ucontext_t& context, Instruction& in) {
  const uint8_t* at = start;
  in.evex = *at == 0x62;
  if (!in.evex && *at != 0xc4) return false;
  ++at;
  const uint8_t first = *at++, second = *at++, third = in.evex ? *at++ : uint8_t{0};
  if ((first & (in.evex ? 7 : 31)) != 2) return false;
  const int r = !(first & 0x80), x = !(first & 0x40), b = !(first & 0x20);
  in.wide = second & 0x80;
  in.prefix = static_cast<Prefix>(second & 3);
  in.other = ~(second >> 3) & 15;
  in.reg = r << 3;
  if (in.evex) {
    in.reg |= !(first & 0x10) << 4;
    in.other |= !(third & 0x08) << 4;
    in.plain512 = (third & 0xf7) == 0x40;  // 512 bits, no mask, no zeroing, no broadcast
  } else if (second & 4) {
    return false;  // tile instructions have L = 0
  }
  in.opcode = *at++;
  at = decode_operand(at, context, x, b, in);
  in.length = static_cast<int>(at - start);
  return true;
}

bool multiply_tiles(const Instruction& in) {
  if (in.memory || in.reg >= kTiles || in.rm >= kTiles || in.other >= kTiles) return false;
  if (in.reg == in.rm || in.reg == in.other || in.rm == in.other) return false;
  Tile& sums = tiles[in.reg];
  const Tile &a = tiles[in.rm], &b = tiles[in.other];
  if (!sums.configured() || !a.configured() || !b.configured()) return false;
  if (sums.rows != a.rows || sums.row_bytes != b.row_bytes || a.row_bytes != 4 * b.rows ||
      sums.row_bytes % 4 != 0) {
    return false;
  }
  if (in.opcode == 0x5c) {
    if (in.prefix != Prefix::pf3) return false;
    multiply_bf16(sums, a, b);
    return true;
  }
  switch (in.prefix) {
    case Prefix::none:
      multiply_bytes<uint8_t, uint8_t>(sums, a, b);
      return true;
    case Prefix::p66:
      multiply_bytes<uint8_t, int8_t>(sums, a, b);
      return true;
    case Prefix::pf3:
      multiply_bytes<int8_t, uint8_t>(sums, a, b);
      return true;
    case Prefix::pf2:
      multiply_bytes<int8_t, int8_t>(sums, a, b);
      return true;
  }
  return false;
}

bool configure_or_clear(const Instruction& in) {
  if (in.other != 0) return false;
  if (in.prefix == Prefix::pf2) {  // TILEZERO
    if (in.memory || in.rm != 0 || in.reg >= kTiles || !tiles[in.reg].configured()) return false;
    clear(tiles[in.reg]);
    return true;
  }
  if (in.reg != 0) return false;
  const uint64_t address = in.base + in.index;
  if (in.prefix == Prefix::p66) {  // STTILECFG
    if (!in.memory) return false;
    store_configuration(reinterpret_cast<uint8_t*>(address));
    return true;
  }
  if (in.prefix != Prefix::none) return false;
  if (in.memory) return load_configuration(reinterpret_cast<const uint8_t*>(address));
  constexpr uint8_t kNoTiles[64] = {};  // TILERELEASE
  return load_configuration(kNoTiles);
}

bool move_tile(const Instruction& in) {
  if (!in.has_sib || in.other != 0 || in.reg >= kTiles || in.prefix == Prefix::none) return false;
  if (!tiles[in.reg].configured()) return false;
  if (in.prefix == Prefix::pf3) {
    store(tiles[in.reg], in.base, in.index);
  } else {
    load(tiles[in.reg], in.base, in.index);
  }
  return true;
}

// One 512-bit register as the signal's frame holds it, in pieces: bits 0..127 and 128..255 of the
// first sixteen lie apart from the rest (Intel's manual, volume 1, 13.4 and 13.5).
class Vectors {
 public:
  explicit Vectors(const ucontext_t& context)
      : area_(reinterpret_cast<uint8_t*>(context.uc_mcontext.fpregs)) {}

  void read(int number, uint8_t* to) const {
    std::memset(to, 0, 64);
    each_piece(number, [&](int feature, uint8_t* piece, int offset, int bytes) {
      if (present() >> feature & 1) std::memcpy(to + offset, piece, static_cast<size_t>(bytes));
    });
  }
  void write(int number, const uint8_t* from) {
    each_piece(number, [&](int feature, uint8_t* piece, int offset, int bytes) {
      if (!(present() >> feature & 1)) {
        unsigned size = 256, at = 160, c, d;
        if (feature > 1) __cpuid_count(13, feature, size, at, c, d);
        std::memset(area_ + at, 0, size);
        const uint64_t now = present() | uint64_t{1} << feature;
        std::memcpy(area_ + 512, &now, 8);
      }
      std::memcpy(piece, from + offset, static_cast<size_t>(bytes));
    });
  }

 private:
  [[nodiscard]] uint64_t present() const {
    uint64_t features;
    std::memcpy(&features, area_ + 512, 8);
    return features;
  }
  static int place(int feature) {
    unsigned size, at, c, d;
    __cpuid_count(13, feature, size, at, c, d);
    return static_cast<int>(at);
  }
  template <class Each>
  void each_piece(int number, Each each) const {
    if (number >= 16) {
      each(7, area_ + place(7) + (number - 16) * 64, 0, 64);
      return;
    }
    each(1, area_ + 160 + number * 16, 0, 16);
    each(2, area_ + place(2) + number * 16, 16, 16);
    each(6, area_ + place(6) + number * 32, 32, 32);
  }

  uint8_t* area_;
};

struct Vector {
  alignas(64) uint8_t bytes[64] = {};
  template <typename T>
  [[nodiscard]] T get(int i) const {
    T value;
    std::memcpy(&value, bytes + i * static_cast<int>(sizeof value), sizeof value);
    return value;
  }
  template <typename T>
  void set(int i, T value) {
    std::memcpy(bytes + i * static_cast<int>(sizeof value), &value, sizeof value);
  }
};

bool vector_bf16(const Instruction& in, const ucontext_t& context) {
  if (in.memory || in.wide || !in.plain512) return false;
  Vectors registers(context);
  Vector rm, other, out;
  registers.read(in.rm, rm.bytes);
  registers.read(in.other, other.bytes);
  if (in.opcode == 0x52 && in.prefix == Prefix::pf3) {  // VDPBF16PS
    registers.read(in.reg, out.bytes);
    for (int i = 0; i < 16; ++i) {
      float sum = out.get<float>(i);
      sum = multiply_add(other.get<uint16_t>(2 * i + 1), rm.get<uint16_t>(2 * i + 1), sum);
      sum = multiply_add(other.get<uint16_t>(2 * i), rm.get<uint16_t>(2 * i), sum);
      out.set(i, sum);
    }
  } else if (in.opcode == 0x72 && in.prefix == Prefix::pf2) {  // VCVTNE2PS2BF16
    for (int i = 0; i < 16; ++i) {
      out.set(i, to_bf16(rm.get<float>(i)));
      out.set(16 + i, to_bf16(other.get<float>(i)));
    }
  } else if (in.opcode == 0x72 && in.prefix == Prefix::pf3) {  // VCVTNEPS2BF16
    if (in.other != 0) return false;
    for (int i = 0; i < 16; ++i) out.set(i, to_bf16(rm.get<float>(i)));
  } else {
    return false;
  }
  registers.write(in.reg, out.bytes);
  return true;
}

bool carry_out(const Instruction& in, const ucontext_t& context) {
  if (in.evex) return vector_bf16(in, context);
  if (in.wide) return false;
  if (in.opcode == 0x49) return configure_or_clear(in);
  if (!tiles_configured) return false;
  if (in.opcode == 0x4b) return move_tile(in);
  return (in.opcode == 0x5c || in.opcode == 0x5e) && multiply_tiles(in);
}

void on_illegal_instruction(int, siginfo_t*, void* pointer) {
  auto& context = *static_cast<ucontext_t*>(pointer);
  greg_t& at = context.uc_mcontext.gregs[REG_RIP];
  Instruction in;
  if (decode(reinterpret_cast<const uint8_t*>(at), context, in) && carry_out(in, context)) {
    at += in.length;
    return;
  }
  constexpr std::string_view kText = "emulation: an illegal instruction, or a tile's wrong shape\n";
  (void)!write(STDERR_FILENO, kText.data(), kText.size());
  signal(SIGILL, SIG_DFL);  // comes again, and ends the process
}

[[gnu::constructor]] void emulate_if_asked() {
  const char* what = std::getenv("BANTAM_EMULATE");
  if (!what || std::string_view(what) != "amx") return;
  constexpr auto kNeeded =
      static_cast<uint32_t>(Isa::x86_avx512) | static_cast<uint32_t>(Isa::x86_vnni);
  if ((detected_isas() & kNeeded) != kNeeded) return;
  struct sigaction action = {};
  action.sa_sigaction = on_illegal_instruction;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGILL, &action, nullptr);
  claim_isas(static_cast<uint32_t>(Isa::x86_bf16) | static_cast<uint32_t>(Isa::x86_amx));
}

}  // namespace
}  // namespace bantam
