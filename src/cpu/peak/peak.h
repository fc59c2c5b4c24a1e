#pragma once

// Products of bytes that are summed in 32 bits, from registers or the first-level cache, as many as
// the instructions of a set can start: the ceiling of products with quantised weights.

#include <stdint.h>

namespace bantam::cpu {

// Carries out `rounds` equal rounds on one thread; returns the multiplications and additions that
// they are.
using PeakRounds = double (*)(int64_t rounds);

}  // namespace bantam::cpu
