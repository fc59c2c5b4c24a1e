#include "cpu/elementwise/lanes/arm_neon.h"
#include "cpu/recurrence/over_lanes.h"

namespace bantam::cpu::arm_neon {

constinit const RecurrenceKernels kRecurrenceKernels = recurrence_over_lanes<Lanes>();

}  // namespace bantam::cpu::arm_neon
