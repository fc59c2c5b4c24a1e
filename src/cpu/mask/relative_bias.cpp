#include "cpu/mask/relative_bias.h"

#include <algorithm>
#include <cmath>

#include "base/thread_pool.h"

// T5's biases by relative position; ops/relative_bias.cpp gives the formula. The table is looked up
// once for each row and cell and serves all blocks of a model.

namespace bantam::cpu {
namespace {

struct Buckets {
  int64_t count, most;
  bool bidirectional;

  [[nodiscard]] int64_t of(int64_t distance) const {
    const int64_t half = bidirectional ? count / 2 : count;
    const int64_t base = bidirectional && distance > 0 ? half : 0;
    const int64_t away = bidirectional ? std::abs(distance) : std::max<int64_t>(0, -distance);
    const int64_t exact = half / 2;
    if (away < exact) return base + away;
    const double share = std::log(static_cast<double>(away) / static_cast<double>(exact)) /
                         std::log(static_cast<double>(most) / static_cast<double>(exact));
    const auto further = static_cast<int64_t>(share * static_cast<double>(half - exact));
    return base + std::min(half - 1, exact + further);
  }
};

Buckets buckets(const Attributes& a, int64_t count) {
  return {count, a.integer("most"), a.integer("bidirectional") != 0};
}

// Inputs: table [buckets, H], positions. Output [H, N, C].
void run(const StepContext& c) {
  const TensorView &table = c.inputs[0], &y = c.outputs[0];
  const auto* positions = c.inputs[1].as<const int32_t>();
  const int64_t H = y.shape[0], N = y.shape[1], cells = y.shape[2];
  const Buckets b = buckets(c.attributes, table.shape[0]);
  c.pool.parallel_for(H * N, 4, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t h = i / N, n = i % N;
      float* row = y.as<float>() + i * cells;
      for (int64_t j = 0; j < cells; ++j)
        row[j] = table.as<float>()[b.of(j - positions[n]) * H + h];
    }
  });
}

// Inputs: dy [H, N, C], positions. Output dtable [buckets, H].
void run_gradient(const StepContext& c) {
  const TensorView &dy = c.inputs[0], &dtable = c.outputs[0];
  const auto* positions = c.inputs[1].as<const int32_t>();
  const int64_t H = dy.shape[0], N = dy.shape[1], cells = dy.shape[2];
  const Buckets b = buckets(c.attributes, dtable.shape[0]);
  std::fill_n(dtable.as<float>(), dtable.shape.elements(), 0.0f);
  c.pool.parallel_for(H, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t h = begin; h < end; ++h)
      for (int64_t n = 0; n < N; ++n) {
        const float* row = dy.as<float>() + (h * N + n) * cells;
        for (int64_t j = 0; j < cells; ++j)
          dtable.as<float>()[b.of(j - positions[n]) * H + h] += row[j];
      }
  });
}

}  // namespace

std::optional<BoundKernel> bind_relative_bias(const BindRequest&) {
  return BoundKernel{run, 0};
}
std::optional<BoundKernel> bind_relative_bias_grad(const BindRequest&) {
  return BoundKernel{run_gradient, 0};
}

}  // namespace bantam::cpu
