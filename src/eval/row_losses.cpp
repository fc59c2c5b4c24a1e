#include "eval/row_losses.h"

#include <algorithm>

#include "cpu/backend.h"
#include "graph/ops.h"
#include "graph/passes.h"

namespace bantam {
namespace {

// Executors read inputs only; views have one pointer type for inputs and outputs.
void* readable(const void* data) {
  return const_cast<void*>(data);
}

}  // namespace

RowLosses::RowLosses(int64_t rows, int64_t vocab_size, int threads, bool with_reference)
    : vocab_size_(vocab_size), with_reference_(with_reference), pool_(threads) {
  Graph g;
  const Extent n(1, g.symbol("rows"));
  const Value targets = g.input("targets", {DType::i32, {n}});
  const Value logits = g.input("logits", {DType::f32, {n, vocab_size}});
  g.output("nll", ops::cross_entropy(g, logits, targets));
  if (with_reference) {
    const Value reference = g.input("reference", {DType::f32, {n, vocab_size}});
    g.output("reference_nll", ops::cross_entropy(g, reference, targets));
    g.output("kl",
             ops::divergence(g, logits, reference, targets, 1.0, ops::Divergence::forward_kl));
  }
  auto plan = std::make_shared<Plan>(optimize(g, false), cpu_backend(), std::vector<int64_t>{rows},
                                     pool_.size());
  executor_ = std::make_unique<Executor>(std::move(plan), pool_);
}

std::span<const RowLosses::Row> RowLosses::operator()(std::span<const float> logits,
                                                      std::span<const float> reference,
                                                      std::span<const int32_t> targets) {
  const auto n = static_cast<int64_t>(targets.size());
  executor_->set_extent("rows", n);
  executor_->bind("targets", {DType::i32, {n}, readable(targets.data())});
  executor_->bind("logits", {DType::f32, {n, vocab_size_}, readable(logits.data())});
  if (with_reference_) {
    executor_->bind("reference", {DType::f32, {n, vocab_size_}, readable(reference.data())});
  }
  executor_->run();
  rows_.assign(targets.size(), {});
  const auto* nll = executor_->output("nll").as<float>();
  for (size_t i = 0; i < rows_.size(); ++i) rows_[i].nll = nll[i];
  if (!with_reference_) return rows_;
  const auto* reference_nll = executor_->output("reference_nll").as<float>();
  const auto* kl = executor_->output("kl").as<float>();
  for (size_t i = 0; i < rows_.size(); ++i) {
    rows_[i].reference_nll = reference_nll[i];
    rows_[i].kl = kl[i];
  }
  find_agreement(logits, reference);
  return rows_;
}

void RowLosses::find_agreement(std::span<const float> logits, std::span<const float> reference) {
  const auto best = [&](std::span<const float> all, int64_t row) {
    const auto first = all.begin() + row * vocab_size_;
    return std::max_element(first, first + vocab_size_) - first;
  };
  pool_.parallel_for(static_cast<int64_t>(rows_.size()), 8, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      rows_[static_cast<size_t>(i)].agrees = best(logits, i) == best(reference, i);
    }
  });
}

}  // namespace bantam
