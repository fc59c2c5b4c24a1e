#pragma once

#include <span>

#include "base/cpu_features.h"
#include "cpu/peak/peak.h"

namespace bantam::cpu {

// Every implementation compiled for this architecture, scalar first, best last.
std::span<const KernelEntry<PeakRounds>> peak_table();

// The best one that may run here.
PeakRounds peak_rounds();

}  // namespace bantam::cpu
