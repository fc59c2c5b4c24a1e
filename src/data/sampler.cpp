#include "data/sampler.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/random.h"

namespace bantam {

namespace {

void check(const BatchShape& shape) {
  if (shape.sequences > 0 && shape.length > 0) return;
  fail(ErrorKind::usage, "batches", "expected at least 1 sequence of 1 token, got {} of {}.",
       shape.sequences, shape.length);
}

}  // namespace

void clear_batch(TokenBatch& batch, const BatchShape& shape) {
  const auto rows = static_cast<size_t>(shape.sequences * shape.length);
  batch.ids.assign(rows, 0);
  batch.targets.assign(rows, -1);
  batch.positions.resize(rows);
  batch.sequences.resize(rows);
  for (size_t n = 0; n < rows; ++n) {
    batch.positions[n] = static_cast<int32_t>(n % static_cast<size_t>(shape.length));
    batch.sequences[n] = static_cast<int32_t>(n / static_cast<size_t>(shape.length));
  }
}

void shuffle_all(Random& random, std::vector<uint32_t>& order) {
  std::iota(order.begin(), order.end(), 0u);
  for (size_t i = order.size(); i > 1; --i) {
    std::swap(order[i - 1], order[random.below(static_cast<uint32_t>(i))]);
  }
}

void check_state(const SamplerState& state, size_t most) {
  if (state.cursor <= most) return;
  fail(ErrorKind::format, "sampler", "expected at most {} windows of the epoch used, got {}.", most,
       state.cursor);
}

Sampler::Sampler(const ShardSet& shards, const BatchShape& shape, uint64_t seed)
    : shards_(shards), shape_(shape), seed_(seed) {
  check(shape);
  const auto length = static_cast<uint64_t>(shape.length);
  if (shards.tokens() <= length) {
    fail(ErrorKind::usage, "batches", "expected more than {} tokens to cut windows from, got {}.",
         length, shards.tokens());
  }
  if (length > UINT32_MAX || shards.tokens() / length > UINT32_MAX) {
    fail(ErrorKind::usage, "batches", "expected fewer than 2^32 windows, got {} tokens in {}s.",
         shards.tokens(), length);
  }
  order_.resize(shards.tokens() / length);
  window_.resize(length + 1);
  shuffle();
}

// A stream of random numbers for each epoch: any epoch can be entered directly.
void Sampler::shuffle() {
  Random random(seed_, state_.epoch);
  offset_ = random.below(static_cast<uint32_t>(shape_.length));
  shuffle_all(random, order_);
}

void Sampler::next(TokenBatch& batch) {
  clear_batch(batch, shape_);
  for (int64_t b = 0; b < shape_.sequences; ++b) {
    if (state_.cursor == order_.size()) {
      state_ = {state_.epoch + 1, 0};
      shuffle();
    }
    const uint64_t window = order_[state_.cursor++];
    shards_.read(offset_ + window * static_cast<uint64_t>(shape_.length), window_);
    std::copy(window_.begin(), window_.end() - 1, batch.ids.begin() + b * shape_.length);
    std::copy(window_.begin() + 1, window_.end(), batch.targets.begin() + b * shape_.length);
  }
}

void Sampler::restore(const State& state) {
  check_state(state, order_.size());
  state_ = state;
  shuffle();
}

double Sampler::epochs() const {
  return static_cast<double>(state_.epoch) +
         static_cast<double>(state_.cursor) / static_cast<double>(order_.size());
}

SequentialBatches::SequentialBatches(const ShardSet& shards, const BatchShape& shape)
    : shards_(shards), shape_(shape) {
  check(shape);
}

int64_t SequentialBatches::count() const {
  const int64_t rows = shape_.sequences * shape_.length;
  const auto targets = static_cast<int64_t>(shards_.tokens()) - 1;
  return (targets + rows - 1) / rows;
}

void SequentialBatches::get(int64_t i, TokenBatch& batch) const {
  clear_batch(batch, shape_);
  const auto rows = static_cast<uint64_t>(shape_.sequences * shape_.length);
  const uint64_t begin = static_cast<uint64_t>(i) * rows;
  const auto n = static_cast<size_t>(std::min(rows, shards_.tokens() - 1 - begin));
  shards_.read(begin, std::span(batch.ids).first(n));
  shards_.read(begin + 1, std::span(batch.targets).first(n));
}

}  // namespace bantam
