#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/sampler.h"
#include "data/shards.h"

namespace bantam {

// Shards whose documents take turns: a source, then what is written from it, each with its end.
class PairShards {
 public:
  // Throws ErrorKind::format if a source has no target, ErrorKind::usage for no pairs.
  explicit PairShards(const std::vector<std::string>& paths);

  [[nodiscard]] uint64_t pairs() const { return pairs_.size(); }
  [[nodiscard]] uint64_t target_tokens() const { return target_tokens_; }
  // Tokens of both texts of pair i.
  struct Pair {
    std::vector<int32_t> source, target;
  };
  [[nodiscard]] Pair read(uint64_t i) const;

 private:
  struct Place {
    uint32_t shard;
    uint64_t source, target, end;  // where each text begins, and where the second ends
  };
  std::vector<Shard> shards_;
  std::vector<Place> pairs_;
  uint64_t target_tokens_ = 0;
};

// How pairs stand in a batch: sources of at most `source_length` tokens, targets of at most
// `length`; what is longer is cut.
struct PairShape {
  BatchShape batch;
  int64_t source_length = 256;
  int32_t start = 0;  // stands before every target
};

// Shuffled batches of pairs without end, each pair once in an epoch. Everything follows from the
// seed and the state. The shards must outlive the sampler.
class PairSampler : public BatchSource {
 public:
  PairSampler(const PairShards& shards, const PairShape& shape, uint64_t seed);

  void next(TokenBatch& batch) override;
  [[nodiscard]] SamplerState state() const override { return state_; }
  void restore(const SamplerState& state) override;
  [[nodiscard]] double epochs() const override;

 private:
  void shuffle();

  const PairShards& shards_;
  PairShape shape_;
  uint64_t seed_;
  SamplerState state_;
  std::vector<uint32_t> order_;
};

// All pairs once, in order, for evaluation.
class SequentialPairs : public BatchList {
 public:
  SequentialPairs(const PairShards& shards, const PairShape& shape)
      : shards_(shards), shape_(shape) {}
  [[nodiscard]] int64_t count() const override;
  void get(int64_t i, TokenBatch& batch) const override;

 private:
  const PairShards& shards_;
  PairShape shape_;
};

}  // namespace bantam
