#include "cpu/elementwise/lanes/x86_avx512.h"
#include "cpu/recurrence/over_lanes.h"

namespace bantam::cpu::x86_avx512 {

constinit const RecurrenceKernels kRecurrenceKernels = recurrence_over_lanes<Lanes>();

}  // namespace bantam::cpu::x86_avx512
