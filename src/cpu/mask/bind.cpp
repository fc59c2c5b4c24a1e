#include <cmath>
#include <limits>

#include "base/thread_pool.h"
#include "cpu/bindings.h"
#include "cpu/mask/relative_bias.h"

// The additive attention mask [N, S C]: 0 where row n may look, -inf elsewhere. It serves the
// fallback of `attention` only, so one plain loop is enough.

namespace bantam::cpu {
namespace {

void run(const StepContext& c) {
  const auto* sequences = c.inputs[0].as<const int32_t>();
  const auto* positions = c.inputs[1].as<const int32_t>();
  const int64_t cells = c.attributes.integer("cells");
  const bool causal = c.attributes.integer("causal") != 0;
  const int64_t window = c.attributes.integer("window", 0);
  const int64_t keep = c.attributes.integer("keep", 0);
  const int64_t columns = c.outputs[0].shape[1];
  auto* mask = c.outputs[0].as<float>();
  c.pool.parallel_for(c.outputs[0].shape[0], 8, [&](int64_t begin, int64_t end, int) {
    for (int64_t n = begin; n < end; ++n) {
      for (int64_t j = 0; j < columns; ++j) {
        const int64_t cell = j % cells, back = positions[n] - cell;
        const bool near = window == 0 || back < window || cell < keep;
        const bool seen = j / cells == sequences[n] && (!causal || back >= 0) && near;
        mask[n * columns + j] = seen ? 0.0f : -std::numeric_limits<float>::infinity();
      }
    }
  });
}

std::optional<BoundKernel> bind(const BindRequest&) {
  return BoundKernel{run, 0};
}

}  // namespace

std::span<const OpBinding> mask_bindings() {
  static constexpr OpBinding kBindings[] = {{"attention_mask", bind},
                                            {"relative_bias", bind_relative_bias},
                                            {"relative_bias_grad", bind_relative_bias_grad}};
  return kBindings;
}

}  // namespace bantam::cpu
