#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "base/cores.h"
#include "base/cpu_features.h"
#include "base/thread_choice.h"
#include "cli/commands.h"
#include "cli/common.h"

namespace bantam::cli {
namespace {

void list_isas() {
  const uint32_t allowed = allowed_isas();
  static constexpr Isa kAll[] = {Isa::x86_avx2, Isa::x86_avxvnni, Isa::x86_avx512, Isa::x86_vnni,
                                 Isa::x86_bf16, Isa::x86_amx,     Isa::arm_neon,   Isa::arm_dotprod,
                                 Isa::arm_i8mm, Isa::arm_bf16};
  Table t;
  t.row({"scalar", "in use"});
  for (const Isa isa : kAll) {
    const auto bit = static_cast<uint32_t>(isa);
    if ((detected_isas() & bit) == 0) continue;
    t.row({std::string(isa_name(isa)), (allowed & bit) != 0 ? "in use" : "ruled out"});
  }
  std::cout << t.str()
            << "Names for --isa: " << fmt::format("{}\n", fmt::join(available_isas(), ", "));
}

// The count that programs use without --threads, and where it comes from.
std::string threads_in_use() {
  const int standard = default_thread_count();
  const char* variable = std::getenv("BANTAM_THREADS");
  if (variable != nullptr && *variable != '\0') {
    return fmt::format("{} as BANTAM_THREADS says", standard);
  }
  if (const std::optional<int> measured = remembered_threads()) {
    return fmt::format("{} as measured ({})", *measured, thread_memory_path());
  }
  return fmt::format("{} as the cores suggest (--measure finds what is fastest)", standard);
}

void list_cores() {
  const Cores cores = find_cores();
  std::cout << fmt::format("Threads: {}; {} {}", threads_in_use(), cores.physical,
                           cores.physical == 1 ? "core" : "cores");
  if (cores.fast < cores.physical) std::cout << fmt::format(", {} of them fast", cores.fast);
  if (cores.logical > cores.physical) std::cout << fmt::format(", {} processors", cores.logical);
  if (cores.quota > 0) std::cout << fmt::format(", time granted for {:.1f}", cores.quota);
  std::cout << "\n";
  warn_of_ignored_masks();
}

void measure() {
  const Cores cores = find_cores();
  const std::vector<ThreadTrial> trials = try_threads(thread_candidates(cores));
  const int best = choose_threads(trials, cores.default_threads());
  Table t;
  t.row({"threads", "median step", ""});
  for (const ThreadTrial& trial : trials) {
    std::vector<double> seconds = trial.seconds;
    const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
    std::nth_element(seconds.begin(), middle, seconds.end());
    t.row({fmt::format("{}", trial.threads), human_seconds(*middle),
           trial.threads == best ? "chosen" : ""});
  }
  std::cout << t.str();
  const std::string path = thread_memory_path();
  if (!remember_threads(best, path, machine_key(cores))) {
    std::cerr << fmt::format("bantam: the answer could not be kept in {}; give --threads {}.\n",
                             path.empty() ? "a cache folder" : path, best);
  }
}

}  // namespace

void add_isa(CLI::App& app) {
  auto* c = app.add_subcommand(
      "isa", "Instruction sets and cores that this machine offers to the kernels");
  const auto measured = std::make_shared<bool>(false);
  c->add_flag("--measure", *measured, "Time which number of threads is fastest and remember it");
  c->callback([measured] {
    if (*measured) measure();
    list_isas();
    list_cores();
  });
}

}  // namespace bantam::cli
