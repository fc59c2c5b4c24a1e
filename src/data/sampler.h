#pragma once

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "data/shards.h"

namespace bantam {

// B sequences of T tokens, row by row: what a training graph reads. Row n = b T + t.
struct TokenBatch {
  std::vector<int32_t> ids;        // 0 where there is no token
  std::vector<int32_t> targets;    // the next id; -1 where there is none
  std::vector<int32_t> positions;  // t
  std::vector<int32_t> sequences;  // b
  // Of pairs: the sources, row by row, 0 after their ends; tokens of each.
  std::vector<int32_t> source_ids, source_lengths;
};

struct BatchShape {
  int64_t sequences = 16;  // B
  int64_t length = 256;    // T
};

// Where a source of batches stands.
struct SamplerState {
  uint64_t epoch = 0;
  uint64_t cursor = 0;  // windows or pairs of the epoch that have been used
  bool operator==(const SamplerState&) const = default;
};

// Training batches without end; buffers of `batch` are reused.
class BatchSource {
 public:
  virtual ~BatchSource() = default;
  virtual void next(TokenBatch& batch) = 0;
  [[nodiscard]] virtual SamplerState state() const = 0;
  // Throws ErrorKind::format for a state that does not fit these shards.
  virtual void restore(const SamplerState& state) = 0;
  // Epochs that have been used, with the begun one's part: for logs and schedules.
  [[nodiscard]] virtual double epochs() const = 0;
};

// The batches of held-out text. 0 <= i < count().
class BatchList {
 public:
  virtual ~BatchList() = default;
  [[nodiscard]] virtual int64_t count() const = 0;
  virtual void get(int64_t i, TokenBatch& batch) const = 0;
};

// For those who make batches: one without tokens and targets; 0, 1, ... in random order (Fisher and
// Yates); the check of restore().
void clear_batch(TokenBatch& batch, const BatchShape& shape);
void shuffle_all(Random& random, std::vector<uint32_t>& order);
void check_state(const SamplerState& state, size_t most);

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
class Sampler : public BatchSource {
 public:
  using State = SamplerState;

  // Throws ErrorKind::usage if the shards hold fewer than T + 1 tokens.
  Sampler(const ShardSet& shards, const BatchShape& shape, uint64_t seed);

  void next(TokenBatch& batch) override;
  [[nodiscard]] State state() const override { return state_; }
  void restore(const State& state) override;
  [[nodiscard]] uint64_t windows_per_epoch() const { return order_.size(); }
  [[nodiscard]] double epochs() const override;

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
class SequentialBatches : public BatchList {
 public:
  SequentialBatches(const ShardSet& shards, const BatchShape& shape);
  [[nodiscard]] int64_t count() const override;
  void get(int64_t i, TokenBatch& batch) const override;

 private:
  const ShardSet& shards_;
  BatchShape shape_;
};

}  // namespace bantam
