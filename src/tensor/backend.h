#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "tensor/attributes.h"
#include "tensor/tensor.h"

namespace bantam {

class ThreadPool;

// What a kernel binding sees of one step: views with the extents of this run, its constants, and
// scratch memory of the size that it asked for. Outputs may share memory with an input only where
// the op allows it (`Op::inplace`). Nothing may be allocated.
struct StepContext {
  std::span<const TensorView> inputs;
  std::span<const TensorView> outputs;
  const Attributes& attributes;
  void* scratch;
  ThreadPool& pool;
};

// How a back end carries out one kind of step.
struct BoundKernel {
  void (*run)(const StepContext&) = nullptr;
  // Scratch bytes that `run` needs when the views have at most the extents given here.
  int64_t scratch_bytes = 0;
};

// Executes the steps of a plan. `cpu` is complete; others may refuse an op.
class Backend {
 public:
  virtual ~Backend() = default;
  // Nothing if the back end has no kernel for this op with these types. The views carry the largest
  // extents of the plan and no data.
  [[nodiscard]] virtual std::optional<BoundKernel> bind(std::string_view op,
                                                        const Attributes& attributes,
                                                        std::span<const TensorView> inputs,
                                                        std::span<const TensorView> outputs,
                                                        int threads) const = 0;
};

}  // namespace bantam
