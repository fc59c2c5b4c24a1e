#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace bantam {

// Which cells a cache keeps that holds the `window` last tokens of a text and, of those before
// them, the `heavy` that had most attention (Zhang et al. 2023, "H2O: Heavy-Hitter Oracle").
//
// That is decided before the token at each position that is a multiple of 64, as soon as there is
// something to let go, and at no other place, so that it does not depend on how a text was split
// into runs. Kept cells move together: a token's cell is a slot, of which there are
// heavy + window + 64.
struct HeavyHitters {
  int64_t heavy = 0, window = 0;

  [[nodiscard]] int64_t kept() const { return heavy + window; }
  // Whether cells are let go before the token at this position.
  [[nodiscard]] bool decides(int64_t position) const;
  // Where the token at this position goes.
  [[nodiscard]] int64_t slot(int64_t position) const;
  // How many slots are filled after `length` tokens.
  [[nodiscard]] int64_t filled(int64_t length) const;
  // The slots to keep of those with these masses, ascending; of equal masses the older one's.
  [[nodiscard]] std::vector<int32_t> choose(std::span<const float> masses) const;
};

}  // namespace bantam
