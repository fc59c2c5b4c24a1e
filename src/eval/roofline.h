#pragma once

#include <cstdint>

#include "base/thread_pool.h"

namespace bantam {

// Bytes per second that the threads of the pool read from `bytes` of memory together: the ceiling
// of decoding a model of that size. The best of a few passes over memory that has been touched.
double read_bandwidth(ThreadPool& pool, int64_t bytes);

// Multiplications and additions of bytes per second that the threads of the pool reach together
// from registers (cpu/peak/peak.h): the ceiling of reading a prompt with quantised weights.
double byte_product_peak(ThreadPool& pool);

}  // namespace bantam
