#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

namespace bantam {

// Indices of `count` items in order of their names; `duplicate(i)` is called for a repeated name.
template <typename Name, typename Duplicate>
std::vector<uint32_t> order_by_name(size_t count, Name name, Duplicate duplicate) {
  std::vector<uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0u);
  std::ranges::sort(order, [&](uint32_t a, uint32_t b) { return name(a) < name(b); });
  for (size_t i = 1; i < count; ++i)
    if (name(order[i - 1]) == name(order[i])) duplicate(order[i]);
  return order;
}

}  // namespace bantam
