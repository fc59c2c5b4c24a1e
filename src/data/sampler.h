#pragma once

#include <cstdint>
#include <vector>

#include "data/shards.h"

namespace bantam {

// B sequences of T tokens, row by row: what a training graph reads. Row n = b T + t.
struct TokenBatch {
  std::vector<int32_t> ids;        // 0 where there is no token
  std::vector<int32_t> targets;    // the next id; -1 where there is none
  std::vector<int32_t> positions;  // t
  std::vector<int32_t> sequences;  // b
};

struct BatchShape {
  int64_t sequences = 16;  // B
  int64_t length = 256;    // T
};

// Shuffled training batches without end. Each epoch cuts the ring of tokens, from a random offset,
// into windows of T tokens and visits them in random order; all but the fewer than T tokens that
// are left over are seen exactly once per epoch. Documents follow one another within a window. A
// batch takes the next B windows, across the end of an epoch if need be.
//
// Everything follows from the seed and the state, which a checkpoint stores:
//   Sampler sampler(shards, {16, 256}, seed);
//   sampler.restore(checkpoint.sampler);
//   sampler.next(batch);
// The shards must outlive the sampler.
class Sampler {
 public:
  struct State {
    uint64_t epoch = 0;
    uint64_t cursor = 0;  // windows of the epoch that have been used
    bool operator==(const State&) const = default;
  };

  // Throws ErrorKind::usage if the shards hold fewer than T + 1 tokens.
  Sampler(const ShardSet& shards, const BatchShape& shape, uint64_t seed);

  // Buffers of `batch` are reused.
  void next(TokenBatch& batch);

  [[nodiscard]] State state() const { return state_; }
  // Throws ErrorKind::format for a state that does not fit these shards.
  void restore(const State& state);
  [[nodiscard]] uint64_t windows_per_epoch() const { return order_.size(); }
  // Epochs that have been used, with the begun one's part: for logs and schedules.
  [[nodiscard]] double epochs() const;

 private:
  void shuffle();

  const ShardSet& shards_;
  BatchShape shape_;
  uint64_t seed_;
  State state_;
  uint64_t offset_ = 0;
  std::vector<uint32_t> order_;
  std::vector<int32_t> window_;
};

// All tokens once, in order, for evaluation: every token but the first is a target exactly once.
// The last rows of the last batch are empty.
class SequentialBatches {
 public:
  SequentialBatches(const ShardSet& shards, const BatchShape& shape);
  [[nodiscard]] int64_t count() const;
  // 0 <= i < count()
  void get(int64_t i, TokenBatch& batch) const;

 private:
  const ShardSet& shards_;
  BatchShape shape_;
};

}  // namespace bantam
