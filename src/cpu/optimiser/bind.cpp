#include "cpu/bindings.h"
#include "cpu/elementwise/chunks.h"
#include "cpu/optimiser/table.h"

namespace bantam::cpu {
namespace {

// parameter, m, v, gradient (f32, one shape), hyper f32 [8] -> parameter, which is input 0's
// memory.
void run_adamw(const StepContext& c) {
  auto *p = c.inputs[0].as<float>(), *m = c.inputs[1].as<float>(), *v = c.inputs[2].as<float>();
  const auto *gradient = c.inputs[3].as<float>(), *hyper = c.inputs[4].as<float>();
  const AdamwSettings settings{
      .lr = hyper[0],
      .beta1 = hyper[1],
      .beta2 = hyper[2],
      .eps = hyper[3],
      .correction1 = hyper[4],
      .correction2 = hyper[5],
      .factor = hyper[6],
      .weight_decay = static_cast<float>(c.attributes.real("weight_decay")),
  };
  const AdamwFn kernel = adamw_kernel();
  c.pool.parallel_for(c.inputs[0].shape.elements(), kGrain, [&](int64_t begin, int64_t end, int) {
    kernel(settings, p + begin, m + begin, v + begin, gradient + begin, end - begin);
  });
}

std::optional<BoundKernel> bind_adamw(const BindRequest& r) {
  for (size_t i = 0; i < 5; ++i) {
    if (r.in(i) != DType::f32) return {};
  }
  return BoundKernel{run_adamw, 0};
}

constexpr OpBinding kBindings[] = {{"adamw", bind_adamw}};

}  // namespace

std::span<const OpBinding> optimiser_bindings() {
  return kBindings;
}

}  // namespace bantam::cpu
