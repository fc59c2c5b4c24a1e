#include <algorithm>
#include <cmath>
#include <functional>

#include "base/thread_pool.h"
#include "cpu/bindings.h"
#include "cpu/quant/head_screen.h"
#include "cpu/quant/linear_rows.h"

// The op screened_linear (graph/ops/screened_linear.cpp), for each row of x:
//
//   1. y' = x W'^T with the coarse rows of the screen
//   2. the `best` groups of 16 rows with the largest y' are computed exactly; the best'th of their
//      elements is a threshold that the results asked for reach
//   3. so is each group with a row whose y' + bound |x| reaches it; all others cannot
//
// What is computed for a row of x depends on that row alone.

namespace bantam::cpu {
namespace {

constexpr int64_t kGroup = kRowMultiple;
constexpr int64_t kMostBest = 256;

int64_t groups_of(int64_t rows) {
  return (rows + kGroup - 1) / kGroup;
}

// More than this are as well taken from all rows.
int64_t most_best(int64_t rows) {
  return std::min(kMostBest, groups_of(rows) / 2);
}

// One step. Scratch, for V rows of weights and m rows of x:
struct Step {
  explicit Step(const StepContext& c)
      : x(c.inputs[0]),
        w(c.inputs[1]),
        codes(c.inputs[2]),
        bounds(c.inputs[3].as<float>()),
        best(c.inputs[4].as<int32_t>()),
        y(c.outputs[0].as<float>()),
        pool(c.pool),
        m(x.shape[0]),
        V(w.shape[0]),
        blocks(x.shape[1] / 32),
        largest(static_cast<float*>(c.scratch)),
        norms(largest + m * groups_of(V)),
        candidates(norms + m),
        order(reinterpret_cast<int32_t*>(candidates + most_best(V) * kGroup)),
        done(reinterpret_cast<uint8_t*>(order + groups_of(V))) {}

  static int64_t scratch_bytes(int64_t m, int64_t V) {
    const int64_t floats = m * groups_of(V) + m + most_best(V) * kGroup + groups_of(V);
    return floats * static_cast<int64_t>(sizeof(float)) + groups_of(V);
  }

  [[nodiscard]] const BlockQ8A* row(int64_t i) const { return x.as<BlockQ8A>() + i * blocks; }
  [[nodiscard]] int64_t end_of(int64_t group) const { return std::min((group + 1) * kGroup, V); }
  [[nodiscard]] bool is_screened(int64_t i) const {
    return best[i] > 0 && best[i] <= most_best(V) && std::isfinite(norms[i]) &&
           norms[i] >= kLeastNorm;
  }
  // Groups begin .. end - 1 of row i, exactly.
  void compute(int64_t i, int64_t begin, int64_t end) const {
    const int64_t first = begin * kGroup;
    linear_rows(w, first, end_of(end - 1), row(i), 1, y + i * V + first, V);
  }

  const TensorView &x, &w, &codes;
  const float* bounds;
  const int32_t* best;
  float* y;
  ThreadPool& pool;
  int64_t m, V, blocks;
  float* largest;     // [m, groups] of y'
  float* norms;       // [m]
  float* candidates;  // exact elements of the first groups
  int32_t* order;     // [groups]
  uint8_t* done;      // [groups]
};

// Every product of a matrix with all rows of x; then `after` for the groups of a chunk.
template <typename After>
void multiply(const Step& s, const TensorView& matrix, After&& after) {
  constexpr int64_t kChunkBytes = 1 << 16;
  const int64_t row = row_bytes(matrix.dtype, matrix.shape[1]);
  const int64_t grain = groups_of(std::max(kGroup, kChunkBytes / row));
  s.pool.parallel_for(groups_of(s.V), grain, [&](int64_t begin, int64_t end, int) {
    const int64_t first = begin * kGroup;
    linear_rows(matrix, first, s.end_of(end - 1), s.x.as<BlockQ8A>(), s.m, s.y + first, s.V);
    for (int64_t group = begin; group < end; ++group) after(group);
  });
}

void find_largest(const Step& s, int64_t group) {
  for (int64_t i = 0; i < s.m; ++i) {
    const float* y = s.y + i * s.V;
    float most = -INFINITY;
    for (int64_t n = group * kGroup; n < s.end_of(group); ++n) most = y[n] > most ? y[n] : most;
    s.largest[i * groups_of(s.V) + group] = most;
  }
}

// Computes the most promising groups of row i. A row with a NaN among them is computed whole.
float threshold_of(const Step& s, int64_t i) {
  const int64_t groups = groups_of(s.V), best = s.best[i];
  const float* largest = s.largest + i * groups;
  for (int64_t group = 0; group < groups; ++group) s.order[group] = static_cast<int32_t>(group);
  std::nth_element(s.order, s.order + best - 1, s.order + groups, [&](int32_t a, int32_t b) {
    return largest[a] > largest[b] || (largest[a] == largest[b] && a < b);
  });
  s.pool.parallel_for(
      best, 1, [&](int64_t at, int64_t, int) { s.compute(i, s.order[at], s.order[at] + 1); });
  float* end = s.candidates;
  for (int64_t at = 0; at < best; ++at) {
    const int64_t group = s.order[at];
    s.done[group] = 1;
    end = std::copy(s.y + i * s.V + group * kGroup, s.y + i * s.V + s.end_of(group), end);
  }
  if (std::any_of(s.candidates, end, [](float v) { return std::isnan(v); })) return -INFINITY;
  std::nth_element(s.candidates, s.candidates + best - 1, end, std::greater<>());
  return s.candidates[best - 1];
}

// Whether an element of the group may reach the threshold. Not a number may.
bool may_reach(const Step& s, int64_t i, int64_t group, float threshold) {
  const float* y = s.y + i * s.V;
  bool may = false;
  for (int64_t n = group * kGroup; n < s.end_of(group); ++n)
    may |= !(y[n] + s.bounds[n] * s.norms[i] < threshold);
  return may;
}

void finish_row(const Step& s, int64_t i, float threshold) {
  constexpr int64_t kGrain = 16;
  s.pool.parallel_for(groups_of(s.V), kGrain, [&](int64_t begin, int64_t end, int) {
    for (int64_t group = begin; group < end; ++group) {
      if (s.done[group] != 0) continue;
      if (may_reach(s, i, group, threshold)) {
        s.compute(i, group, group + 1);
      } else {
        std::fill(s.y + i * s.V + group * kGroup, s.y + i * s.V + s.end_of(group), -INFINITY);
      }
    }
  });
}

void run_screened_linear(const StepContext& c) {
  const Step s(c);
  bool any = false;
  for (int64_t i = 0; i < s.m; ++i) {
    s.norms[i] = norm_above(s.row(i), s.blocks);
    any |= s.is_screened(i);
  }
  if (!any) return multiply(s, s.w, [](int64_t) {});
  multiply(s, s.codes, [&](int64_t group) { find_largest(s, group); });
  for (int64_t i = 0; i < s.m; ++i) {
    std::fill(s.done, s.done + groups_of(s.V), uint8_t{0});
    finish_row(s, i, s.is_screened(i) ? threshold_of(s, i) : -INFINITY);
  }
}

std::optional<BoundKernel> bind_screened_linear(const BindRequest& r) {
  const TensorView &x = r.inputs[0], &w = r.inputs[1], &codes = r.inputs[2];
  if (!has_linear_rows(w) || !has_linear_rows(codes)) return {};
  return BoundKernel{run_screened_linear, Step::scratch_bytes(x.shape[0], w.shape[0])};
}

constexpr OpBinding kBindings[] = {{"screened_linear", bind_screened_linear, true}};

}  // namespace

std::span<const OpBinding> screened_linear_bindings() {
  return kBindings;
}

}  // namespace bantam::cpu
