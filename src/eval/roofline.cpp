#include "eval/roofline.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <vector>

#include "cpu/peak/table.h"

namespace bantam {
namespace {

constexpr int64_t kLeast = int64_t{1} << 20, kMost = int64_t{512} << 20;
constexpr int64_t kWords = 4096;  // 32 KiB, a piece of work
constexpr double kSeconds = 0.15;

// Four streams of independent sums keep several loads in flight.
uint64_t sum_words(const uint64_t* words) {
  uint64_t sums[4][8] = {};
  constexpr int64_t kStream = kWords / 4;
  for (int64_t i = 0; i < kStream; i += 8) {
    for (int64_t s = 0; s < 4; ++s) {
      for (int64_t j = 0; j < 8; ++j) sums[s][j] += words[s * kStream + i + j];
    }
  }
  uint64_t sum = 0;
  for (const auto& stream : sums) {
    for (const uint64_t value : stream) sum += value;
  }
  return sum;
}

}  // namespace

double read_bandwidth(ThreadPool& pool, int64_t bytes) {
  bytes = std::clamp(bytes, kLeast, kMost);
  const int64_t pieces = bytes / (kWords * 8);
  const std::vector<uint64_t> memory(static_cast<size_t>(pieces * kWords), 1);
  std::atomic<uint64_t> total{0};
  const int64_t grain = std::max<int64_t>(1, pieces / (int64_t{8} * pool.size()));
  double best = 0, spent = 0;
  for (int pass = 0; pass < 3 || spent < kSeconds; ++pass) {
    const auto start = std::chrono::steady_clock::now();
    pool.parallel_for(pieces, grain, [&](int64_t begin, int64_t end, int) {
      uint64_t sum = 0;
      for (int64_t i = begin; i < end; ++i) sum += sum_words(memory.data() + i * kWords);
      total.fetch_add(sum, std::memory_order_relaxed);
    });
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    spent += seconds.count();
    best = std::max(best, static_cast<double>(pieces * kWords * 8) / seconds.count());
  }
  return total.load() == 0 ? 0 : best;
}

double byte_product_peak(ThreadPool& pool) {
  const cpu::PeakRounds multiply = cpu::peak_rounds();
  constexpr int64_t kPieces = 8;  // of a pass, for each thread
  int64_t rounds = 1024;
  double best = 0, spent = 0;
  while (spent < kSeconds) {
    std::atomic<double> operations{0};
    const auto start = std::chrono::steady_clock::now();
    pool.parallel_for(kPieces * pool.size(), 1, [&](int64_t, int64_t, int) {
      operations.fetch_add(multiply(rounds), std::memory_order_relaxed);
    });
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    if (seconds.count() < kSeconds / 20) {  // too short to time
      rounds *= 4;
      continue;
    }
    spent += seconds.count();
    best = std::max(best, operations.load() / seconds.count());
  }
  return best;
}

}  // namespace bantam
