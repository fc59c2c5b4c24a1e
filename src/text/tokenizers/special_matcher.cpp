#include "text/tokenizers/special_matcher.h"

#include <algorithm>
#include <utility>

namespace bantam {

namespace {
constexpr auto kByByte = [](const std::pair<uint8_t, uint32_t>& child, uint8_t byte) {
  return child.first < byte;
};
}  // namespace

uint32_t SpecialMatcher::child(uint32_t node, uint8_t byte) const {
  const auto& children = nodes_[node].children;
  const auto it = std::lower_bound(children.begin(), children.end(), byte, kByByte);
  return it != children.end() && it->first == byte ? it->second : 0;
}

void SpecialMatcher::add(std::string_view text, int32_t id) {
  if (text.empty()) return;
  first_byte_[static_cast<uint8_t>(text[0])] = true;
  uint32_t node = 0;
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    uint32_t next = child(node, byte);
    if (next == 0) {
      next = static_cast<uint32_t>(nodes_.size());
      auto& children = nodes_[node].children;
      children.insert(std::lower_bound(children.begin(), children.end(), byte, kByByte),
                      {byte, next});
      nodes_.emplace_back();
    }
    node = next;
  }
  if (nodes_[node].id < 0) nodes_[node].id = id;
}

SpecialMatcher::Match SpecialMatcher::find(std::string_view text, size_t from) const {
  if (empty()) return {text.size(), 0, -1};
  for (size_t i = from; i < text.size(); ++i) {
    if (!first_byte_[static_cast<uint8_t>(text[i])]) continue;
    Match best{i, 0, -1};
    uint32_t node = 0;
    for (size_t j = i; j < text.size(); ++j) {
      node = child(node, static_cast<uint8_t>(text[j]));
      if (node == 0) break;
      if (nodes_[node].id >= 0) best = {i, j + 1 - i, nodes_[node].id};
    }
    if (best.id >= 0) return best;
  }
  return {text.size(), 0, -1};
}

}  // namespace bantam
