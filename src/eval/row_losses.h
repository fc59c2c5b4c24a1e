#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "graph/plan.h"
#include "tensor/tensor.h"

namespace bantam {

// Losses of rows of logits, as a small graph of the ops that training uses.
class RowLosses {
 public:
  RowLosses(int64_t rows, int64_t vocab_size, int threads, bool with_reference);

  struct Row {
    float nll = 0;            // -log p(target), in nats; 0 where the target is -1
    float reference_nll = 0;  // with a reference
    float kl = 0;             // KL(reference || model), in nats
    bool agrees = false;      // both rank the same token first
  };
  // `logits` and `reference` (empty without one) are [n, V], `targets` [n]. Valid until the next
  // call.
  std::span<const Row> operator()(std::span<const float> logits, std::span<const float> reference,
                                  std::span<const int32_t> targets);

 private:
  void find_agreement(std::span<const float> logits, std::span<const float> reference);

  int64_t vocab_size_;
  bool with_reference_;
  ThreadPool pool_;
  std::unique_ptr<Executor> executor_;
  std::vector<Row> rows_;
};

}  // namespace bantam
