#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace bantam {

// Texts by their bytes, for finding all that begin at a place. Twelve bytes a node, children of a
// node side by side in order.
//
//   uint32_t node = Trie::kRoot;
//   while (i < text.size() && (node = trie.step(node, text[i++])) != 0)
//     if (trie.id(node) >= 0) ...   // text up to i is in the trie
class Trie {
 public:
  static constexpr uint32_t kRoot = 0;

  Trie() = default;
  // Of equal texts the first wins; empty ones are ignored.
  explicit Trie(std::vector<std::pair<std::string_view, int32_t>> texts);

  // The node one byte further, 0 if there is none.
  [[nodiscard]] uint32_t step(uint32_t node, char byte) const {
    const Node& n = nodes_[node];
    uint32_t low = n.children;
    uint32_t high = low + n.count;
    while (low < high) {
      const uint32_t middle = (low + high) / 2;
      if (nodes_[middle].byte < static_cast<uint8_t>(byte)) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low < n.children + n.count && nodes_[low].byte == static_cast<uint8_t>(byte) ? low : 0;
  }
  [[nodiscard]] int32_t id(uint32_t node) const { return nodes_[node].id; }  // -1 for none

 private:
  struct Node {
    int32_t id = -1;
    uint32_t children = 0;
    uint16_t count = 0;
    uint8_t byte = 0;
  };
  std::vector<Node> nodes_ = std::vector<Node>(1);
};

}  // namespace bantam
