#include "text/tokenizers/trie.h"

#include <algorithm>

namespace bantam {

Trie::Trie(std::vector<std::pair<std::string_view, int32_t>> texts) {
  std::erase_if(texts, [](const auto& t) { return t.first.empty(); });
  std::stable_sort(texts.begin(), texts.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  const auto same = std::unique(texts.begin(), texts.end(),
                                [](const auto& a, const auto& b) { return a.first == b.first; });
  texts.erase(same, texts.end());

  // Breadth first: a node's texts are a range of the sorted list that shares its first bytes.
  struct Range {
    uint32_t node;
    size_t begin, end, depth;
  };
  std::vector<Range> ranges = {{kRoot, 0, texts.size(), 0}};
  for (size_t r = 0; r < ranges.size(); ++r) {
    Range range = ranges[r];
    if (range.begin < range.end && texts[range.begin].first.size() == range.depth) {
      nodes_[range.node].id = texts[range.begin++].second;
    }
    nodes_[range.node].children = static_cast<uint32_t>(nodes_.size());
    while (range.begin < range.end) {
      const char byte = texts[range.begin].first[range.depth];
      size_t end = range.begin;
      while (end < range.end && texts[end].first[range.depth] == byte) ++end;
      ranges.push_back({static_cast<uint32_t>(nodes_.size()), range.begin, end, range.depth + 1});
      ++nodes_[range.node].count;
      nodes_.push_back({.byte = static_cast<uint8_t>(byte)});
      range.begin = end;
    }
  }
}

}  // namespace bantam
