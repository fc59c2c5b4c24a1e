#include "cpu/elementwise/lanes/scalar.h"
#include "cpu/recurrence/over_lanes.h"

namespace bantam::cpu::scalar {

constinit const RecurrenceKernels kRecurrenceKernels = recurrence_over_lanes<Lanes>();

}  // namespace bantam::cpu::scalar
