#include "base/cores.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string_view>
#include <thread>

#include "base/error.h"

#if defined(__linux__)
#include <sched.h>
#endif

namespace bantam {
namespace {

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::vector<int> allowed_processors() {
  std::vector<int> allowed;
#if defined(__linux__)
  cpu_set_t mask;
  if (sched_getaffinity(0, sizeof mask, &mask) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
      if (CPU_ISSET(cpu, &mask)) allowed.push_back(cpu);
  }
#endif
  const int all = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  for (int cpu = 0; allowed.empty() && cpu < all; ++cpu) allowed.push_back(cpu);
  return allowed;
}

// "max 100000" or "150000 100000": microseconds of time in each period.
double quota_of(const std::string& line) {
  std::istringstream words(line);
  double quota = 0, period = 0;
  return words >> quota >> period && quota > 0 && period > 0 ? quota / period : 0;
}

// The tightest limit of the control group and those above it (version 2).
double group_quota(const std::string& root) {
  std::string group;
  std::ifstream membership(root + "/proc/self/cgroup");
  for (std::string line; std::getline(membership, line);)
    if (line.starts_with("0::")) group = line.substr(3);
  double tightest = 0;
  while (!group.empty()) {
    const std::string file = fmt::format("{}/sys/fs/cgroup{}/cpu.max", root, group);
    const double quota = quota_of(first_line(file));
    if (quota > 0 && (tightest == 0 || quota < tightest)) tightest = quota;
    group.erase(std::min(group.rfind('/'), group.size()));
  }
  const double all = quota_of(first_line(root + "/sys/fs/cgroup/cpu.max"));
  return all > 0 && (tightest == 0 || all < tightest) ? all : tightest;
}

// How fast a processor is beside others of the machine: its capacity, or else its frequency.
double speed_of(const std::string& processor) {
  for (const char* file : {"/cpu_capacity", "/cpufreq/cpuinfo_max_freq"}) {
    const double value = std::atof(first_line(processor + file).c_str());
    if (value > 0) return value;
  }
  return 0;
}

struct Core {
  double speed = 0;
  std::vector<int> processors;
};

std::vector<int> binding_order(std::vector<Core> cores) {
  std::stable_sort(cores.begin(), cores.end(),
                   [](const Core& a, const Core& b) { return a.speed > b.speed; });
  std::vector<int> order;
  for (bool more = true; more;) {
    more = false;
    for (Core& core : cores) {
      if (core.processors.empty()) continue;
      order.push_back(core.processors.front());
      core.processors.erase(core.processors.begin());
      more = true;
    }
  }
  return order;
}

}  // namespace

Cores find_cores(const std::string& root, std::vector<int> mask) {
  if (mask.empty()) mask = allowed_processors();
  std::map<std::string, Core> by_siblings;
  double fastest = 0;
  for (const int cpu : mask) {
    const std::string processor = fmt::format("{}/sys/devices/system/cpu/cpu{}", root, cpu);
    std::string siblings = first_line(processor + "/topology/thread_siblings_list");
    if (siblings.empty()) siblings = fmt::format("alone {}", cpu);
    const double speed = speed_of(processor);
    Core& core = by_siblings[siblings];
    core.speed = std::max(core.speed, speed);
    core.processors.push_back(cpu);
    fastest = std::max(fastest, speed);
  }
  std::vector<Core> cores;
  cores.reserve(by_siblings.size());
  for (auto& [siblings, core] : by_siblings) cores.push_back(std::move(core));
  std::sort(cores.begin(), cores.end(), [](const Core& a, const Core& b) {
    return a.processors.front() < b.processors.front();
  });
  const auto fast = std::count_if(cores.begin(), cores.end(),
                                  [&](const Core& core) { return core.speed >= fastest / 2; });
  const auto physical = static_cast<int>(cores.size());
  return {static_cast<int>(mask.size()),
          physical,
          std::max(1, static_cast<int>(fast)),
          group_quota(root),
          std::move(mask),
          binding_order(std::move(cores))};
}

int Cores::default_threads() const {
  if (quota == 0) return fast;
  // A thread more than the quota pays for stops all of them until the next period.
  return std::clamp(static_cast<int>(std::floor(quota + 0.01)), 1, fast);
}

int default_thread_count() {
  if (const char* text = std::getenv("BANTAM_THREADS"); text != nullptr && *text != '\0') {
    const std::string_view given(text);
    int count = 0;
    const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), count);
    if (error != std::errc() || end != given.data() + given.size() || count < 1 || count > 1024) {
      fail(ErrorKind::usage, "BANTAM_THREADS", "expected a number from 1 to 1024, got \"{}\"",
           given);
    }
    return count;
  }
  static const int found = find_cores().default_threads();
  return found;
}

bool bind_thread([[maybe_unused]] int processor) {
#if defined(__linux__)
  cpu_set_t mask, got;
  CPU_ZERO(&mask);
  CPU_ZERO(&got);
  CPU_SET(processor, &mask);
  if (sched_setaffinity(0, sizeof mask, &mask) != 0) return false;
  if (sched_getaffinity(0, sizeof got, &got) != 0 || !CPU_EQUAL(&mask, &got)) return false;
  sched_yield();
  return sched_getcpu() == processor;
#else
  return false;
#endif
}

bool masks_are_kept() {
  bool kept = true;
#if defined(__linux__)
  const std::vector<int> allowed = allowed_processors();
  std::thread([&] {
    for (const int cpu : {allowed.front(), allowed.back()}) kept = kept && bind_thread(cpu);
  }).join();
#endif
  return kept;
}

}  // namespace bantam
