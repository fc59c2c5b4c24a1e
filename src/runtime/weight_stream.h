#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "graph/plan.h"
#include "models/model.h"

namespace bantam {

// Weights of a model that is larger than memory: they stay in their mapped file, and only a window
// of them, in the order in which the steps of the plan read them, is in memory. A thread reads
// ahead of the steps as far as the window reaches, beyond the end of a run to the next one's
// beginning; what a step has read is let go.
class WeightStream {
 public:
  // What the steps read: the most that one step reads, below which no window is, and all.
  struct Need {
    int64_t least = 0, all = 0;
  };
  static Need need(const Plan& plan, const Model& model);
  // What the system may map around the window, in bytes, before it is let go.
  static constexpr int64_t kAround = 4 << 20;
  // The window in which `bytes` are kept.
  static int64_t window(const Need& need, int64_t bytes);

  WeightStream(const Plan& plan, const Model& model, int64_t bytes);
  ~WeightStream();
  WeightStream(const WeightStream&) = delete;
  WeightStream& operator=(const WeightStream&) = delete;

  // To be told after each step of a run, in order; `node`: the step's.
  void finished(int32_t node);

 private:
  struct Piece {
    int32_t node;  // whose step reads it
    std::span<const std::byte> bytes;
    int64_t most;  // of these bytes that can be in memory
    bool ahead;    // whether it is known before which of them the step will read
  };
  static std::vector<Piece> pieces_of(const Plan& plan, const Model& model);
  const Piece& piece(int64_t number) const {
    return pieces_[static_cast<size_t>(number % static_cast<int64_t>(pieces_.size()))];
  }
  void read_ahead();
  void forget_surroundings();

  std::vector<Piece> pieces_;
  const int64_t window_;
  std::mutex mutex_;
  std::condition_variable room_;
  // Numbers count on from run to run: pieces before done_ were let go, those before ahead_ are or
  // come into memory, `held_` bytes of them.
  int64_t done_ = 0, ahead_ = 0, held_ = 0;
  int64_t finished_ = 0;  // bytes since the surroundings were let go
  bool stopping_ = false;
  std::thread reader_;
};

}  // namespace bantam
