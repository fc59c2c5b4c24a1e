#include "base/thread_choice.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <system_error>

#include "base/cpu_features.h"
#include "base/error.h"
#include "base/file.h"
#include "base/thread_pool.h"

namespace bantam {
namespace {

constexpr int kMostThreads = 1024;
constexpr double kMargin = 1.05, kWarmSeconds = 0.02;

constexpr int64_t kChunk = 16 << 10;     // bytes that a thread takes at a time
constexpr int64_t kStreamed = 24 << 20;  // read once a step, in kLoops loops
constexpr int64_t kLoops = 48;
constexpr int64_t kPasses =
    80;  // over one chunk after each loop: takes about as long as the reading

uint64_t sum(const uint64_t* words, int64_t count) {
  uint64_t total = 0;
  for (int64_t i = 0; i < count; ++i) total += words[i];
  return total;
}

// Chains enough to keep the multiplier busy: a second thread on the same core gains nothing then.
uint64_t mix(const uint64_t* words, int64_t count) {
  uint64_t chains[8] = {};
  for (int64_t i = 0; i + 8 <= count; i += 8)
    for (int64_t j = 0; j < 8; ++j) chains[j] = (chains[j] ^ words[i + j]) * 0x9e3779b97f4a7c15;
  return sum(chains, 8);
}

double step_seconds(ThreadPool& pool, const std::vector<uint64_t>& memory) {
  constexpr int64_t kWordsOfChunk = kChunk / 8;
  constexpr int64_t kChunks = kStreamed / kChunk / kLoops;
  std::atomic<uint64_t> kept{0};  // so that nothing is left out
  const auto start = std::chrono::steady_clock::now();
  for (int64_t loop = 0; loop < kLoops; ++loop) {
    const uint64_t* from = memory.data() + loop * kChunks * kWordsOfChunk;
    pool.parallel_for(kChunks, 1, [&](int64_t begin, int64_t end, int) {
      kept += sum(from + begin * kWordsOfChunk, (end - begin) * kWordsOfChunk);
    });
    pool.parallel_for(kPasses, 8, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) kept += mix(memory.data(), kWordsOfChunk);
    });
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name") || line.starts_with("CPU part")) return line;
  }
  return "unknown";
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

std::vector<int> thread_candidates(const Cores& cores) {
  const int most = cores.quota > 0 ? cores.default_threads() : cores.logical;
  std::vector<int> counts{1, cores.fast, cores.physical, cores.logical};
  for (int& count : counts) count = std::min(count, most);
  std::sort(counts.begin(), counts.end());
  counts.erase(std::unique(counts.begin(), counts.end()), counts.end());
  return counts;
}

std::vector<ThreadTrial> try_threads(std::span<const int> candidates, int rounds) {
  std::vector<uint64_t> memory(kStreamed / 8, 1);
  std::vector<ThreadTrial> trials;
  std::vector<std::unique_ptr<ThreadPool>> teams;
  for (const int threads : candidates) {
    trials.push_back({threads, {}});
    teams.push_back(std::make_unique<ThreadPool>(threads));
  }
  for (int round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < teams.size(); ++i) {
      // Until this team is awake, each thread on a processor, and the one before sleeps.
      for (double spent = 0; spent < kWarmSeconds;) spent += step_seconds(*teams[i], memory);
      trials[i].seconds.push_back(step_seconds(*teams[i], memory));
    }
  }
  return trials;
}

int choose_threads(std::span<const ThreadTrial> trials, int standard) {
  BANTAM_ASSERT(!trials.empty());
  const ThreadTrial* best = &trials.front();
  for (const ThreadTrial& t : trials) {
    if (t.threads == standard) best = &t;
  }
  for (const ThreadTrial& other : trials) {
    const size_t rounds = std::min(best->seconds.size(), other.seconds.size());
    size_t wins = 0;
    for (size_t i = 0; i < rounds; ++i) wins += other.seconds[i] * kMargin <= best->seconds[i];
    if (rounds > 0 && 4 * wins >= 3 * rounds) best = &other;
  }
  return best->threads;
}

std::string machine_key(const Cores& c) {
  return fmt::format("{}; {}; {} processors {}; {} cores, {} fast; quota {:.2f}; {:x}",
                     BANTAM_VERSION, processor_name(), c.logical, fmt::join(c.mask, ","),
                     c.physical, c.fast, c.quota, detected_isas());
}

std::string thread_memory_path() {
  std::string folder = variable("XDG_CACHE_HOME");
  if (folder.empty() && !variable("HOME").empty()) folder = variable("HOME") + "/.cache";
  return folder.empty() ? "" : folder + "/bantam/threads";
}

std::optional<int> remembered_threads(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  int threads = 0;
  std::string of;
  if (!(file >> threads) || !std::getline(file >> std::ws, of) || of != key) return std::nullopt;
  if (threads < 1 || threads > kMostThreads) return std::nullopt;
  return threads;
}

std::optional<int> remembered_threads() {
  const std::string path = thread_memory_path();
  std::error_code none;
  if (path.empty() || !std::filesystem::is_regular_file(path, none)) return std::nullopt;
  return remembered_threads(path, machine_key(find_cores()));
}

bool remember_threads(int threads, const std::string& path, const std::string& key) {
  if (path.empty()) return false;
  std::error_code failed;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), failed);
  if (failed) return false;
  try {
    write_text_file(path, fmt::format("{}\n{}\n", threads, key));
  } catch (const Error&) {
    return false;
  }
  return true;
}

}  // namespace bantam
