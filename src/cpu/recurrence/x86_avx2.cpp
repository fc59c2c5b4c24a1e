#include "cpu/elementwise/lanes/x86_avx2.h"
#include "cpu/recurrence/over_lanes.h"

namespace bantam::cpu::x86_avx2 {

constinit const RecurrenceKernels kRecurrenceKernels = recurrence_over_lanes<Lanes>();

}  // namespace bantam::cpu::x86_avx2
