#pragma once

#include "cpu/recurrence/conv_over_lanes.h"
#include "cpu/recurrence/scan_over_lanes.h"

namespace bantam::cpu {

template <class L>
constexpr RecurrenceKernels recurrence_over_lanes() {
  return {ConvOverLanes<L>::conv, ConvOverLanes<L>::conv_grad, ScanOverLanes<L>::scan,
          ScanOverLanes<L>::scan_grad};
}

}  // namespace bantam::cpu
