#pragma once

// Texts of the tiny model of 301 tokens, fed to an engine piece by piece.

#include <algorithm>
#include <functional>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "runtime/engine.h"

namespace bantam {

inline std::vector<int32_t> text(int64_t n, uint64_t seed) {
  Random random(seed);
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < n; ++i) ids.push_back(static_cast<int32_t>(random.below(301)));
  return ids;
}

// Tokens begin .. end - 1 of a text, in runs of at most `piece`; the logits of the last.
inline std::vector<float> feed(Engine& engine, int32_t sequence, const std::vector<int32_t>& ids,
                               int64_t begin, int64_t end, int64_t piece = 64) {
  std::vector<float> logits(static_cast<size_t>(engine.vocab_size()));
  while (begin < end) {
    std::vector<Engine::Row> rows;
    for (const int64_t stop = std::min(end, begin + piece); begin < stop; ++begin)
      rows.push_back({ids[static_cast<size_t>(begin)], sequence, static_cast<int32_t>(begin),
                      begin + 1 == end});
    engine.run(rows, logits);
  }
  return logits;
}

inline ErrorKind error_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& e) {
    return e.kind();
  }
  return ErrorKind::internal;
}

}  // namespace bantam
