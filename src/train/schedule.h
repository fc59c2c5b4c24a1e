#pragma once

#include <cstdint>
#include <string>

namespace bantam {

enum class ScheduleKind {
  constant,
  cosine,  // Loshchilov & Hutter 2017: half a cosine from the peak to the floor
  wsd      // warm-up, stable, decay (Hu et al. 2024): flat, then linear to the floor
};

// Learning rate by step. All kinds rise linearly over the warm-up.
struct Schedule {
  ScheduleKind kind = ScheduleKind::cosine;
  double peak = 1e-3;
  double floor = 1e-4;
  int64_t warmup_steps = 0;
  int64_t total_steps = 1;
  int64_t decay_steps = 0;  // wsd: length of the decay at the end

  // For steps 0, 1, ..., total_steps - 1.
  [[nodiscard]] double at(int64_t step) const;
};

}  // namespace bantam
