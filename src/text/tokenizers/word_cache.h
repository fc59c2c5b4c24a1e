#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "text/tokenizers/token_index.h"

namespace bantam {

// Remembers the tokens of recent short words. Direct-mapped and of fixed size (half a megabyte), so
// that it stays bounded whatever the text; safe to use from many threads.
class WordCache {
 public:
  // Appends the word's tokens and returns true when it is known.
  bool find(std::string_view word, std::vector<int32_t>& out) const {
    if (word.size() > kMaxBytes) return false;
    const uint64_t h = hash_bytes(word);
    const std::scoped_lock lock(locks_[h % kLocks]);
    const Entry& e = entries_[h % kEntries];
    if (e.count == 0 || e.size != word.size() || std::memcmp(e.key, word.data(), e.size) != 0) {
      return false;
    }
    out.insert(out.end(), e.ids, e.ids + e.count);
    return true;
  }

  void store(std::string_view word, const int32_t* ids, size_t count) const {
    if (word.size() > kMaxBytes || count == 0 || count > kMaxIds) return;
    const uint64_t h = hash_bytes(word);
    const std::scoped_lock lock(locks_[h % kLocks]);
    Entry& e = entries_[h % kEntries];
    e.size = static_cast<uint8_t>(word.size());
    e.count = static_cast<uint8_t>(count);
    std::memcpy(e.key, word.data(), word.size());
    std::copy(ids, ids + count, e.ids);
  }

 private:
  static constexpr size_t kEntries = 8192;
  static constexpr size_t kLocks = 64;  // divides kEntries: an entry has one lock
  static constexpr size_t kMaxBytes = 34;
  static constexpr size_t kMaxIds = 7;
  struct Entry {  // one cache line
    uint8_t size, count;
    char key[kMaxBytes];
    int32_t ids[kMaxIds];
  };
  static_assert(sizeof(Entry) == 64);

  std::unique_ptr<Entry[]> entries_ = std::make_unique<Entry[]>(kEntries);
  mutable std::array<std::mutex, kLocks> locks_;
};

}  // namespace bantam
