#include "runtime/heavy_hitters.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "tensor/layout.h"

namespace bantam {

bool HeavyHitters::decides(int64_t position) const {
  return heavy > 0 && position % kPageCells == 0 && position > kept();
}

int64_t HeavyHitters::slot(int64_t position) const {
  const int64_t decision = position / kPageCells * kPageCells;
  return decides(decision) ? kept() + position - decision : position;
}

int64_t HeavyHitters::filled(int64_t length) const {
  return length == 0 ? 0 : slot(length - 1) + 1;
}

std::vector<int32_t> HeavyHitters::choose(std::span<const float> masses) const {
  const auto count = static_cast<int64_t>(masses.size());
  BANTAM_ASSERT(count >= kept());
  std::vector<int32_t> slots(masses.size());
  std::iota(slots.begin(), slots.end(), 0);
  const auto first_of_window = slots.end() - window;
  // What is not a number has to have a place, too.
  const auto mass = [&](int32_t slot) {
    const float m = masses[static_cast<size_t>(slot)];
    return std::isnan(m) ? INFINITY : m;
  };
  std::nth_element(
      slots.begin(), slots.begin() + heavy, first_of_window,
      [&](int32_t a, int32_t b) { return mass(a) != mass(b) ? mass(a) > mass(b) : a < b; });
  slots.erase(slots.begin() + heavy, first_of_window);
  std::sort(slots.begin(), slots.end());
  return slots;
}

}  // namespace bantam
