#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace bantam {

// A stretch of text that merging has joined so far, in a doubly linked list (-1 ends it).
struct Symbol {
  uint32_t begin, end;  // bytes of the text; equal once the symbol was merged into its left one
  int32_t id;           // its token, -1 for none
  int32_t previous, next;
};

// A possible merge: lower ranks go first.
struct Merge {
  uint32_t rank;
  int32_t id;  // of the joined token; -1: these two do not merge
};

// Greedy pair merging (Sennrich et al. 2016): while some neighbours merge, join the pair of lowest
// rank, the leftmost of equals. A heap of candidates makes that O(n log n): entries whose symbols
// have changed since are recognised by their length and dropped.
class SymbolMerger {
 public:
  std::vector<Symbol> symbols;

  void clear() { symbols.clear(); }
  void append(uint32_t begin, uint32_t end, int32_t id) {
    const auto index = static_cast<int32_t>(symbols.size());
    symbols.push_back({begin, end, id, index - 1, -1});
    if (index > 0) symbols[static_cast<size_t>(index - 1)].next = index;
  }

  // find(const Symbol& left, const Symbol& right) -> Merge
  template <typename Find>
  void run(Find&& find) {
    heap_.clear();
    for (size_t i = 0; i + 1 < symbols.size(); ++i) consider(static_cast<int32_t>(i), find, false);
    std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
      const Candidate best = heap_.back();
      heap_.pop_back();
      if (!is_current(best)) continue;
      join(best);
      const int32_t previous = symbols[static_cast<size_t>(best.left)].previous;
      if (previous >= 0) consider(previous, find, true);
      consider(best.left, find, true);
    }
  }

 private:
  struct Candidate {
    uint32_t rank;
    int32_t left, right;
    uint32_t size;
    int32_t id;
    bool operator>(const Candidate& o) const {
      return rank != o.rank ? rank > o.rank : left > o.left;
    }
  };

  [[nodiscard]] bool is_current(const Candidate& c) const {
    const Symbol& left = symbols[static_cast<size_t>(c.left)];
    const Symbol& right = symbols[static_cast<size_t>(c.right)];
    return left.begin != left.end && right.begin != right.end && left.next == c.right &&
           right.end - left.begin == c.size;
  }

  void join(const Candidate& c) {
    Symbol& left = symbols[static_cast<size_t>(c.left)];
    Symbol& right = symbols[static_cast<size_t>(c.right)];
    left.end = right.end;
    left.id = c.id;
    left.next = right.next;
    if (right.next >= 0) symbols[static_cast<size_t>(right.next)].previous = c.left;
    right.begin = right.end;
  }

  template <typename Find>
  void consider(int32_t left_index, Find& find, bool keep_heap) {
    const Symbol& left = symbols[static_cast<size_t>(left_index)];
    if (left.next < 0) return;
    const Symbol& right = symbols[static_cast<size_t>(left.next)];
    const Merge merge = find(left, right);
    if (merge.id < 0) return;
    heap_.push_back({merge.rank, left_index, left.next, right.end - left.begin, merge.id});
    if (keep_heap) std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
  }

  std::vector<Candidate> heap_;
};

}  // namespace bantam
