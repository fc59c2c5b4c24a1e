#include "data/pair_sampler.h"

#include <algorithm>

#include "base/error.h"

namespace bantam {

namespace {

// Pair i of the shards as row b of a batch; -1 leaves the row empty.
void put(const PairShards& shards, const PairShape& shape, int64_t i, int64_t b,
         TokenBatch& batch) {
  if (i < 0) return;
  const PairShards::Pair pair = shards.read(static_cast<uint64_t>(i));
  const auto length =
      std::min<int64_t>(static_cast<int64_t>(pair.target.size()), shape.batch.length);
  const auto first = b * shape.batch.length;
  batch.ids[static_cast<size_t>(first)] = shape.start;
  std::copy_n(pair.target.begin(), length - 1, batch.ids.begin() + first + 1);
  std::copy_n(pair.target.begin(), length, batch.targets.begin() + first);
  const auto read =
      std::min<int64_t>(static_cast<int64_t>(pair.source.size()), shape.source_length);
  std::copy_n(pair.source.begin(), read, batch.source_ids.begin() + b * shape.source_length);
  batch.source_lengths[static_cast<size_t>(b)] = static_cast<int32_t>(read);
}

void clear(TokenBatch& batch, const PairShape& shape) {
  clear_batch(batch, shape.batch);
  batch.source_ids.assign(static_cast<size_t>(shape.batch.sequences * shape.source_length), 0);
  // An empty row reads one token, so that there is something to look at.
  batch.source_lengths.assign(static_cast<size_t>(shape.batch.sequences), 1);
}

}  // namespace

PairShards::PairShards(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    const auto shard = static_cast<uint32_t>(shards_.size());
    const Shard& s = shards_.emplace_back(path);
    const auto starts = s.document_starts();
    if (starts.size() % 2 != 0) {
      fail(ErrorKind::format, path, "expected a target for every source, got {} texts.",
           starts.size());
    }
    for (size_t i = 0; i < starts.size(); i += 2) {
      const uint64_t end = i + 2 < starts.size() ? starts[i + 2] : s.tokens();
      pairs_.push_back({shard, starts[i], starts[i + 1], end});
      target_tokens_ += end - starts[i + 1];
    }
  }
  if (pairs_.empty() || pairs_.size() > UINT32_MAX) {
    fail(ErrorKind::usage, "pairs", "expected 1 to 2^32 pairs, got {}.", pairs_.size());
  }
}

PairShards::Pair PairShards::read(uint64_t i) const {
  const Place& p = pairs_[i];
  Pair pair;
  pair.source.resize(p.target - p.source);
  pair.target.resize(p.end - p.target);
  shards_[p.shard].read(p.source, pair.source);
  shards_[p.shard].read(p.target, pair.target);
  return pair;
}

PairSampler::PairSampler(const PairShards& shards, const PairShape& shape, uint64_t seed)
    : shards_(shards), shape_(shape), seed_(seed), order_(shards.pairs()) {
  shuffle();
}

void PairSampler::shuffle() {
  Random random(seed_, state_.epoch);
  shuffle_all(random, order_);
}

void PairSampler::next(TokenBatch& batch) {
  clear(batch, shape_);
  for (int64_t b = 0; b < shape_.batch.sequences; ++b) {
    if (state_.cursor == order_.size()) {
      state_ = {state_.epoch + 1, 0};
      shuffle();
    }
    put(shards_, shape_, order_[state_.cursor++], b, batch);
  }
}

void PairSampler::restore(const SamplerState& state) {
  check_state(state, order_.size());
  state_ = state;
  shuffle();
}

double PairSampler::epochs() const {
  return static_cast<double>(state_.epoch) +
         static_cast<double>(state_.cursor) / static_cast<double>(order_.size());
}

int64_t SequentialPairs::count() const {
  const auto pairs = static_cast<int64_t>(shards_.pairs());
  return (pairs + shape_.batch.sequences - 1) / shape_.batch.sequences;
}

void SequentialPairs::get(int64_t i, TokenBatch& batch) const {
  clear(batch, shape_);
  for (int64_t b = 0; b < shape_.batch.sequences; ++b) {
    const int64_t pair = i * shape_.batch.sequences + b;
    put(shards_, shape_, pair < static_cast<int64_t>(shards_.pairs()) ? pair : -1, b, batch);
  }
}

}  // namespace bantam
