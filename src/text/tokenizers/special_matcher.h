#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace bantam {

// Finds whole tokens such as <|im_end|> in text: the leftmost, and of several at one place the
// longest. A trie in which each node's children are kept sorted.
class SpecialMatcher {
 public:
  struct Match {
    size_t position, size;
    int32_t id;  // -1: none found
  };

  // Of tokens spelled alike the first wins. Empty text is ignored.
  void add(std::string_view text, int32_t id);
  [[nodiscard]] bool empty() const { return nodes_.size() <= 1; }

  // The first match at or after `from`.
  [[nodiscard]] Match find(std::string_view text, size_t from) const;

 private:
  struct Node {
    int32_t id = -1;
    std::vector<std::pair<uint8_t, uint32_t>> children;
  };
  [[nodiscard]] uint32_t child(uint32_t node, uint8_t byte) const;  // 0: none

  std::vector<Node> nodes_ = std::vector<Node>(1);
  std::array<bool, 256> first_byte_{};
};

}  // namespace bantam
