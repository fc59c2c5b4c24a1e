#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "base/hash.h"
#include "text/tokenizers/merge.h"

namespace bantam {

// The merges of a byte-pair encoding, most important first: which token two neighbours become, by
// open addressing over their numbers.
class MergeTable {
 public:
  explicit MergeTable(size_t capacity = 0)
      : slots_(std::bit_ceil(capacity * 2 + 16), kNone), mask_(slots_.size() - 1) {
    merges_.reserve(capacity);
  }

  // The next merge; at most as many as the capacity. Of a pair that comes again, the first counts.
  void add(int32_t left, int32_t right, int32_t joined) {
    const auto rank = static_cast<uint32_t>(merges_.size());
    merges_.push_back({left, right, joined});
    size_t slot = first_slot(left, right);
    for (; slots_[slot] != kNone; slot = (slot + 1) & mask_) {
      if (is(slots_[slot], left, right)) return;
    }
    slots_[slot] = rank;
  }

  // Its id is -1 where the two do not merge.
  [[nodiscard]] Merge find(int32_t left, int32_t right) const {
    for (size_t slot = first_slot(left, right);; slot = (slot + 1) & mask_) {
      const uint32_t rank = slots_[slot];
      if (rank == kNone) return {0, -1};
      if (is(rank, left, right)) return {rank, merges_[rank].joined};
    }
  }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Entry {
    int32_t left, right, joined;
  };

  [[nodiscard]] size_t first_slot(int32_t left, int32_t right) const {
    const auto low = static_cast<uint32_t>(right);
    return mix_bits(uint64_t{static_cast<uint32_t>(left)} << 32 | low) & mask_;
  }
  [[nodiscard]] bool is(uint32_t rank, int32_t left, int32_t right) const {
    return merges_[rank].left == left && merges_[rank].right == right;
  }

  std::vector<uint32_t> slots_;  // ranks
  size_t mask_;
  std::vector<Entry> merges_;  // by rank
};

}  // namespace bantam
