#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace bantam {

double Schedule::at(int64_t step) const {
  if (step < warmup_steps) {
    return peak * static_cast<double>(step + 1) / static_cast<double>(warmup_steps);
  }
  const auto share = [](int64_t part, int64_t whole) {
    return std::clamp(static_cast<double>(part) / static_cast<double>(std::max<int64_t>(whole, 1)),
                      0.0, 1.0);
  };
  switch (kind) {
    case ScheduleKind::constant:
      return peak;
    case ScheduleKind::cosine: {
      const double x = share(step - warmup_steps, total_steps - warmup_steps);
      return floor + (peak - floor) * 0.5 * (1 + std::cos(std::numbers::pi * x));
    }
    case ScheduleKind::wsd: {
      const double x = share(step - (total_steps - decay_steps), decay_steps);
      return peak + (floor - peak) * x;
    }
  }
  return peak;
}

}  // namespace bantam
