#include <fmt/format.h>

#include <iostream>

#include "base/cores.h"
#include "base/cpu_features.h"
#include "cli/commands.h"
#include "cli/common.h"

namespace bantam::cli {
namespace {

void list_isas() {
  const uint32_t allowed = allowed_isas();
  static constexpr Isa kAll[] = {Isa::x86_avx2,    Isa::x86_avx512, Isa::x86_vnni,
                                 Isa::x86_bf16,    Isa::x86_amx,    Isa::arm_neon,
                                 Isa::arm_dotprod, Isa::arm_i8mm,   Isa::arm_bf16};
  Table t;
  t.row({"scalar", "in use"});
  for (const Isa isa : kAll) {
    const auto bit = static_cast<uint32_t>(isa);
    if ((detected_isas() & bit) == 0) continue;
    t.row({std::string(isa_name(isa)), (allowed & bit) != 0 ? "in use" : "ruled out"});
  }
  std::cout << t.str()
            << "Names for --isa: " << fmt::format("{}\n", fmt::join(available_isas(), ", "));
  const Cores cores = find_cores();
  std::cout << fmt::format("Threads: {} unless --threads or BANTAM_THREADS say otherwise; {} {}",
                           default_thread_count(), cores.physical,
                           cores.physical == 1 ? "core" : "cores");
  if (cores.fast < cores.physical) std::cout << fmt::format(", {} of them fast", cores.fast);
  if (cores.logical > cores.physical) std::cout << fmt::format(", {} processors", cores.logical);
  if (cores.quota > 0) std::cout << fmt::format(", time granted for {:.1f}", cores.quota);
  std::cout << "\n";
}

}  // namespace

void add_isa(CLI::App& app) {
  app.add_subcommand("isa", "Instruction sets and cores that this machine offers to the kernels")
      ->callback(list_isas);
}

}  // namespace bantam::cli
