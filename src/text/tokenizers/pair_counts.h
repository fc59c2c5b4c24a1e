#pragma once

#include <cstdint>
#include <optional>
#include <queue>
#include <span>
#include <vector>

#include "text/tokenizers/token_index.h"

namespace bantam {

// The pairs of neighbouring tokens in a set of counted words, kept up to date while pairs are
// merged. Each pair knows the words that may contain it, so that a merge touches only those, and a
// heap with stale entries finds the most frequent pair.
class PairCounts {
 public:
  struct Pair {
    int32_t left, right;
    uint64_t count;
    int32_t joined;  // the token it became when it was merged before, or -1
  };

  void add_word(std::span<const int32_t> ids, uint64_t count);
  void start();  // once, after the words

  // The pair that occurs most often, of equals the one with the smallest ids; none when nothing is
  // left to merge.
  std::optional<Pair> most_frequent();

  // Replaces the pair by the token in all words.
  void merge(const Pair& pair, int32_t joined);

 private:
  struct Word {
    size_t begin;
    uint32_t size;
    uint64_t count;
  };
  struct Entry {
    uint64_t count;
    uint64_t key;
    bool operator<(const Entry& o) const {
      return count != o.count ? count < o.count : key > o.key;
    }
  };
  struct Occurrences {
    uint64_t key;
    uint64_t count = 0;
    int32_t joined = -1;
    bool touched = false;
    std::vector<uint32_t> words;
  };

  size_t pair_index(uint64_t key);
  void increase(int32_t left, int32_t right, uint32_t word);
  void decrease(int32_t left, int32_t right, uint32_t word);
  void merge_in_word(uint32_t word, const Pair& pair, int32_t joined);

  std::vector<int32_t> ids_;
  std::vector<Word> words_;
  PairMap index_;  // pair -> position in pairs_
  std::vector<Occurrences> pairs_;
  std::vector<size_t> touched_;
  std::priority_queue<Entry> heap_;
};

}  // namespace bantam
