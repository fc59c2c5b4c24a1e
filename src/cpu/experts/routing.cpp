#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/thread_pool.h"
#include "cpu/experts/experts.h"

// Routing reads a handful of scores for each row: plain loops are enough.

namespace bantam::cpu {
namespace {

// NaN is worse than everything.
bool better(float a, float b) {
  return a > b || (std::isnan(b) && !std::isnan(a));
}

// The experts of one row that may still be chosen.
struct Candidates {
  const float* scores;
  uint8_t* closed;
  int64_t count;

  // The best open one of [begin, end), -1 if all are closed.
  [[nodiscard]] int64_t best(int64_t begin, int64_t end) const {
    int64_t found = -1;
    for (int64_t e = begin; e < end; ++e) {
      if (closed[e] == 0 && (found < 0 || better(scores[e], scores[found]))) found = e;
    }
    return found;
  }
  [[nodiscard]] float sum_of_best_two(int64_t begin, int64_t end) const {
    float first = -INFINITY, second = -INFINITY;
    for (int64_t e = begin; e < end; ++e) {
      if (better(scores[e], first)) {
        second = first;
        first = scores[e];
      } else if (better(scores[e], second)) {
        second = scores[e];
      }
    }
    return end - begin == 1 ? first : first + second;
  }
};

// Closes the experts of all but the best groups. `opened` marks groups, one byte each.
void keep_best_groups(const Candidates& c, int64_t groups, int64_t used, uint8_t* opened) {
  const int64_t size = c.count / groups;
  std::memset(opened, 0, static_cast<size_t>(groups));
  for (int64_t i = 0; i < used; ++i) {
    int64_t found = -1;
    float most = 0;
    for (int64_t group = 0; group < groups; ++group) {
      if (opened[group] != 0) continue;
      const float sum = c.sum_of_best_two(group * size, (group + 1) * size);
      if (found >= 0 && !better(sum, most)) continue;
      found = group;
      most = sum;
    }
    opened[found] = 1;
  }
  for (int64_t e = 0; e < c.count; ++e) c.closed[e] = opened[e / size] == 0;
}

void run_top_k(const StepContext& c) {
  const TensorView &x = c.inputs[0], &y = c.outputs[0];
  const int64_t experts = x.shape[1], k = y.shape[1];
  const int64_t groups = c.attributes.integer("groups"), used = c.attributes.integer("groups_used");
  c.pool.parallel_for(x.shape[0], 16, [&](int64_t begin, int64_t end, int worker) {
    uint8_t* closed = static_cast<uint8_t*>(c.scratch) + 2 * worker * experts;
    for (int64_t n = begin; n < end; ++n) {
      const Candidates candidates{x.as<float>() + n * experts, closed, experts};
      std::memset(closed, 0, static_cast<size_t>(experts));
      if (used < groups) keep_best_groups(candidates, groups, used, closed + experts);
      for (int64_t j = 0; j < k; ++j) {
        const int64_t e = candidates.best(0, experts);
        closed[e] = 1;
        y.as<int32_t>()[n * k + j] = static_cast<int32_t>(e);
      }
    }
  });
}

void run_pick(const StepContext& c) {
  const TensorView &x = c.inputs[0], &indices = c.inputs[1];
  const int64_t columns = x.shape[1], k = indices.shape[1];
  auto* y = c.outputs[0].as<float>();
  for (int64_t i = 0; i < indices.shape.elements(); ++i) {
    y[i] = x.as<float>()[i / k * columns + indices.as<int32_t>()[i]];
  }
}

void run_pick_grad(const StepContext& c) {
  const TensorView &indices = c.inputs[0], &dy = c.inputs[1], &dx = c.outputs[0];
  const int64_t columns = dx.shape[1], k = indices.shape[1];
  std::fill_n(dx.as<float>(), dx.shape.elements(), 0.0f);
  for (int64_t i = 0; i < indices.shape.elements(); ++i) {
    dx.as<float>()[i / k * columns + indices.as<int32_t>()[i]] += dy.as<float>()[i];
  }
}

// A counting sort: rows keep their order within an expert.
void run_group(const StepContext& c) {
  const TensorView& experts = c.inputs[0];
  const int64_t k = experts.shape[1], routed = experts.shape.elements();
  const int64_t count = c.outputs[3].shape[0] - 1;
  const auto* expert = experts.as<int32_t>();
  auto *rows = c.outputs[0].as<int32_t>(), *sorted = c.outputs[1].as<int32_t>();
  auto *slots = c.outputs[2].as<int32_t>(), *offsets = c.outputs[3].as<int32_t>();
  std::fill_n(offsets, count + 1, 0);
  for (int64_t i = 0; i < routed; ++i) ++offsets[expert[i] + 1];
  for (int64_t e = 0; e < count; ++e) offsets[e + 1] += offsets[e];
  auto* next = static_cast<int32_t*>(c.scratch);
  std::copy_n(offsets, count, next);
  for (int64_t i = 0; i < routed; ++i) {
    const int32_t slot = next[expert[i]]++;
    rows[slot] = static_cast<int32_t>(i / k);
    sorted[slot] = expert[i];
    slots[i] = slot;
  }
}

void run_load(const StepContext& c) {
  const auto* offsets = c.inputs[0].as<int32_t>();
  const TensorView& y = c.outputs[0];
  const int64_t count = y.shape[0];
  const auto all = static_cast<float>(offsets[count]);
  for (int64_t e = 0; e < count; ++e) {
    y.as<float>()[e] = static_cast<float>(offsets[e + 1] - offsets[e]) / all;
  }
}

}  // namespace

std::optional<BoundKernel> bind_top_k(const BindRequest& r) {
  return BoundKernel{run_top_k, 2 * r.threads * r.inputs[0].shape[1]};
}
std::optional<BoundKernel> bind_pick(const BindRequest&) {
  return BoundKernel{run_pick, 0};
}
std::optional<BoundKernel> bind_pick_grad(const BindRequest&) {
  return BoundKernel{run_pick_grad, 0};
}
std::optional<BoundKernel> bind_group_by_expert(const BindRequest& r) {
  return BoundKernel{run_group, r.outputs[3].bytes()};
}
std::optional<BoundKernel> bind_expert_load(const BindRequest&) {
  return BoundKernel{run_load, 0};
}

}  // namespace bantam::cpu
