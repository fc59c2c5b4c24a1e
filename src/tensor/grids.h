#pragma once

#include "tensor/blocks.h"

namespace bantam {

// A grid from its indices, two (octets) or three (quartets) bits an element, into `values`.

template <int kCount>
consteval OctetGrid<kCount> octets(const uint16_t (&packed)[kCount], const int8_t (&values)[3]) {
  OctetGrid<kCount> grid{};
  for (int i = 0; i < kCount; ++i) {
    for (int e = 0; e < 8; ++e) {
      const auto byte = static_cast<uint8_t>(values[(packed[i] >> (2 * e)) & 3]);
      grid.entry[i] |= static_cast<uint64_t>(byte) << (8 * e);
    }
  }
  return grid;
}

template <int kCount>
consteval QuartetGrid<kCount> quartets(const uint16_t (&packed)[kCount],
                                       const int8_t (&values)[8]) {
  QuartetGrid<kCount> grid{};
  for (int i = 0; i < kCount; ++i) {
    for (int e = 0; e < 4; ++e) {
      const auto byte = static_cast<uint8_t>(values[(packed[i] >> (3 * e)) & 7]);
      grid.entry[i] |= static_cast<uint32_t>(byte) << (8 * e);
    }
  }
  return grid;
}

}  // namespace bantam
