#include "text/tokenizers/pair_counts.h"

#include <utility>

namespace bantam {

size_t PairCounts::pair_index(uint64_t key) {
  const uint64_t index = index_.insert(key, pairs_.size());
  if (index == pairs_.size()) pairs_.push_back({.key = key, .words = {}});
  return index;
}

void PairCounts::increase(int32_t left, int32_t right, uint32_t word) {
  const size_t index = pair_index(PairMap::key(left, right));
  Occurrences& pair = pairs_[index];
  pair.count += words_[word].count;
  if (pair.words.empty() || pair.words.back() != word) pair.words.push_back(word);
  if (!pair.touched) touched_.push_back(index);
  pair.touched = true;
}

void PairCounts::decrease(int32_t left, int32_t right, uint32_t word) {
  pairs_[pair_index(PairMap::key(left, right))].count -= words_[word].count;
}

void PairCounts::add_word(std::span<const int32_t> ids, uint64_t count) {
  if (ids.size() < 2) return;
  const auto word = static_cast<uint32_t>(words_.size());
  words_.push_back({ids_.size(), static_cast<uint32_t>(ids.size()), count});
  ids_.insert(ids_.end(), ids.begin(), ids.end());
  for (size_t i = 0; i + 1 < ids.size(); ++i) increase(ids[i], ids[i + 1], word);
}

void PairCounts::start() {
  for (const size_t index : touched_) {
    heap_.push({pairs_[index].count, pairs_[index].key});
    pairs_[index].touched = false;
  }
  touched_.clear();
}

std::optional<PairCounts::Pair> PairCounts::most_frequent() {
  while (!heap_.empty()) {
    const Entry entry = heap_.top();
    const Occurrences& pair = pairs_[pair_index(entry.key)];
    if (entry.count == pair.count && pair.count > 0) {
      return Pair{static_cast<int32_t>(entry.key >> 32),
                  static_cast<int32_t>(entry.key & 0xFFFFFFFF), pair.count, pair.joined};
    }
    heap_.pop();
    // Merging only ever raised counts together with a new entry, so a lower count needs one here.
    if (pair.count > 0 && pair.count < entry.count) heap_.push({pair.count, entry.key});
  }
  return std::nullopt;
}

void PairCounts::merge_in_word(uint32_t word, const Pair& pair, int32_t joined) {
  Word& w = words_[word];
  const std::span<int32_t> ids(ids_.data() + w.begin, w.size);
  uint32_t out = 0;
  for (uint32_t i = 0; i < ids.size(); ++i) {
    if (i + 1 == ids.size() || ids[i] != pair.left || ids[i + 1] != pair.right) {
      ids[out++] = ids[i];
      continue;
    }
    decrease(pair.left, pair.right, word);
    if (out > 0) {
      decrease(ids[out - 1], pair.left, word);
      increase(ids[out - 1], joined, word);
    }
    if (i + 2 < ids.size()) {
      decrease(pair.right, ids[i + 2], word);
      increase(joined, ids[i + 2], word);
    }
    ids[out++] = joined;
    ++i;
  }
  w.size = out;
}

void PairCounts::merge(const Pair& pair, int32_t joined) {
  const size_t index = pair_index(PairMap::key(pair.left, pair.right));
  pairs_[index].joined = joined;
  const std::vector<uint32_t> words = std::exchange(pairs_[index].words, {});
  for (const uint32_t word : words) merge_in_word(word, pair, joined);
  start();
}

}  // namespace bantam
