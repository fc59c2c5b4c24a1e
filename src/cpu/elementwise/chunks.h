#pragma once

#include <algorithm>
#include <cstdint>

#include "base/thread_pool.h"

// How bindings cut work: into pieces that are worth waking a thread for, and, where rows are
// reduced, into chunks of fixed size whose sums are added in order.

namespace bantam::cpu {

// Elements per task; fewer than this run on the caller.
inline constexpr int64_t kGrain = 16384;

// Rows per task.
inline int64_t row_grain(int64_t columns) {
  return std::max<int64_t>(1, kGrain / std::max<int64_t>(1, columns));
}

// Rows that are summed one after the other before chunks are combined.
inline constexpr int64_t kChunkRows = 64;

inline int64_t chunk_count(int64_t rows) {
  return (rows + kChunkRows - 1) / kChunkRows;
}

// out[i] = partials[0][i] + partials[1][i] + ..., in this order; partials: [chunks, columns].
inline void sum_chunks(const float* partials, int64_t chunks, int64_t columns, float* out,
                       ThreadPool& pool) {
  const int64_t grain = std::max<int64_t>(64, kGrain / std::max<int64_t>(1, chunks));
  pool.parallel_for(columns, grain, [&](int64_t begin, int64_t end, int) {
    std::fill(out + begin, out + end, 0.0f);
    for (int64_t c = 0; c < chunks; ++c) {
      const float* row = partials + c * columns;
      for (int64_t i = begin; i < end; ++i) out[i] += row[i];
    }
  });
}

}  // namespace bantam::cpu
