#pragma once

#include <bit>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/hash.h"

namespace bantam {

// Text -> token id, holding only ids: `text_of(id)` gives the text of each. Of equal texts the one
// added first is kept.
class TokenIndex {
 public:
  explicit TokenIndex(size_t capacity = 0)
      : slots_(std::bit_ceil(capacity * 2 + 2), -1), mask_(slots_.size() - 1) {}

  // False where the text was there before.
  template <typename TextOf>
  bool add(int32_t id, TextOf&& text_of) {
    const std::string_view text = text_of(id);
    size_t slot = hash_bytes(text) & mask_;
    while (slots_[slot] >= 0) {
      if (text_of(slots_[slot]) == text) return false;
      slot = (slot + 1) & mask_;
    }
    slots_[slot] = id;
    return true;
  }

  // -1 when no token has this text.
  template <typename TextOf>
  int32_t find(std::string_view text, TextOf&& text_of) const {
    for (size_t slot = hash_bytes(text) & mask_;; slot = (slot + 1) & mask_) {
      const int32_t id = slots_[slot];
      if (id < 0 || text_of(id) == text) return id;
    }
  }

 private:
  std::vector<int32_t> slots_;
  size_t mask_;
};

// Pair of token ids -> 64-bit value, by open addressing; grows as needed.
class PairMap {
 public:
  static constexpr uint64_t key(int32_t left, int32_t right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
  }

  explicit PairMap(size_t capacity = 0)
      : slots_(std::bit_ceil(capacity * 2 + 16)), mask_(slots_.size() - 1) {}

  [[nodiscard]] const uint64_t* find(uint64_t key) const {
    for (size_t slot = mix_bits(key) & mask_;; slot = (slot + 1) & mask_) {
      if (slots_[slot].key == key) return &slots_[slot].value;
      if (slots_[slot].key == kEmpty) return nullptr;
    }
  }

  // Puts the value under the key unless it has one; returns the value that stands there.
  uint64_t insert(uint64_t key, uint64_t value) {
    if ((count_ + 1) * 2 > slots_.size()) grow();
    size_t slot = mix_bits(key) & mask_;
    for (; slots_[slot].key != kEmpty; slot = (slot + 1) & mask_) {
      if (slots_[slot].key == key) return slots_[slot].value;
    }
    slots_[slot] = {key, value};
    ++count_;
    return value;
  }

 private:
  static constexpr uint64_t kEmpty = ~uint64_t{0};  // ids are never negative
  struct Slot {
    uint64_t key = kEmpty;
    uint64_t value = 0;
  };

  void grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    mask_ = slots_.size() - 1;
    count_ = 0;
    for (const Slot& s : old) {
      if (s.key != kEmpty) insert(s.key, s.value);
    }
  }

  std::vector<Slot> slots_;
  size_t mask_;
  size_t count_ = 0;
};

}  // namespace bantam
