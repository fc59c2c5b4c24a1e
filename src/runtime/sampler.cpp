#include "runtime/sampler.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "cpu/softmax/table.h"

namespace bantam {
namespace {

constexpr size_t kSortedAtOnce = 64;

}  // namespace

void check_sampler_options(const SamplerOptions& o) {
  const auto check = [](bool good, std::string_view name, std::string_view expected, auto got) {
    if (!good) fail(ErrorKind::usage, "sampling", "{}: expected {}, got {}", name, expected, got);
  };
  check(o.temperature >= 0 && std::isfinite(o.temperature), "temperature", "0 or more",
        o.temperature);
  check(o.top_k >= 0, "top-k", "0 or more", o.top_k);
  check(o.top_p > 0 && o.top_p <= 1, "top-p", "more than 0 and at most 1", o.top_p);
  check(o.min_p >= 0 && o.min_p <= 1, "min-p", "0 to 1", o.min_p);
  check(o.repetition_penalty > 0, "repetition penalty", "more than 0", o.repetition_penalty);
  check(o.repetition_window >= 0, "repetition window", "0 or more", o.repetition_window);
}

TokenSampler::TokenSampler(const SamplerOptions& options)
    : options_(options), random_(options.seed) {
  check_sampler_options(options);
}

// A penalty of 1 or more only lowers logits: with n tokens lowered, the k best are then among what
// were the k + n best.
int32_t TokenSampler::decisive() const {
  const int32_t k = options_.temperature == 0 ? 1 : options_.top_k;
  if (k == 0 || options_.repetition_penalty < 1) return 0;
  if (options_.repetition_penalty == 1) return k;
  constexpr int32_t kMost = INT32_MAX / 2;
  return std::min(k, kMost) + std::min(options_.repetition_window, kMost);
}

float TokenSampler::penalised(float logit) const {
  return logit > 0 ? logit / options_.repetition_penalty : logit * options_.repetition_penalty;
}

// The k best after the penalty, best first; k = 0: all of them, in the order of their ids.
void TokenSampler::collect(std::span<const float> logits, std::span<const int32_t> recent,
                           size_t k) {
  seen_.clear();
  if (options_.repetition_penalty != 1) {
    const auto window = std::min(recent.size(), static_cast<size_t>(options_.repetition_window));
    seen_.assign(recent.end() - static_cast<std::ptrdiff_t>(window), recent.end());
    std::sort(seen_.begin(), seen_.end());
    seen_.erase(std::unique(seen_.begin(), seen_.end()), seen_.end());
  }
  candidates_.clear();
  sorted_ = 0;
  if (k == 0) {
    for (size_t i = 0; i < logits.size(); ++i) {
      const float logit = std::isnan(logits[i]) ? -INFINITY : logits[i];
      candidates_.push_back({{static_cast<int32_t>(i), logit}, 0});
    }
    for (const int32_t token : seen_) {
      float& logit = candidates_[static_cast<size_t>(token)].logit;
      logit = penalised(logit);
    }
    return;
  }
  // Without those seen, k of the k + |seen| largest are left; those seen join as they are now.
  find_largest(logits, k + seen_.size(), largest_);
  for (const TokenLogit& t : largest_) {
    if (!std::binary_search(seen_.begin(), seen_.end(), t.token)) candidates_.push_back({t, 0});
  }
  for (const int32_t token : seen_) {
    const float logit = penalised(logits[static_cast<size_t>(token)]);
    if (logit > -INFINITY) candidates_.push_back({{token, logit}, 0});
  }
  const size_t kept = std::min(k, candidates_.size());
  sort_first(kept);
  candidates_.resize(kept);
  sorted_ = kept;
}

// Brings the n best to the front, in order. Few of a large vocabulary are ever asked for.
void TokenSampler::sort_first(size_t n) {
  while (sorted_ < n) {
    const size_t size = candidates_.size();
    const size_t end = std::min(size, std::max(n, kSortedAtOnce + 4 * sorted_));
    const auto first = candidates_.begin() + static_cast<std::ptrdiff_t>(sorted_);
    const auto last = candidates_.begin() + static_cast<std::ptrdiff_t>(end);
    if (end < size) std::nth_element(first, last, candidates_.end(), is_better);
    std::sort(first, last, is_better);
    sorted_ = end;
  }
}

void TokenSampler::set_probabilities() {
  const float top = candidates_[0].logit;
  scaled_.clear();
  for (const Candidate& c : candidates_) {
    scaled_.push_back((c.logit - top) / options_.temperature);
  }
  cpu::softmax_kernels().softmax(scaled_.data(), scaled_.data(), 1,
                                 static_cast<int64_t>(scaled_.size()));
  for (size_t i = 0; i < scaled_.size(); ++i) candidates_[i].probability = scaled_[i];
}

// How many of the best top-p and min-p leave; these are in order if they are not all.
size_t TokenSampler::count_kept() {
  size_t n = candidates_.size();
  if (options_.top_p < 1) {
    double sum = 0;
    for (n = 0; n < candidates_.size() && sum < options_.top_p; ++n) {
      sort_first(n + 1);
      sum += candidates_[n].probability;
    }
  }
  if (options_.min_p == 0) return n;
  const float least = options_.min_p * candidates_[0].probability;
  size_t kept = 1;
  for (; kept < n; ++kept) {
    sort_first(kept + 1);
    if (candidates_[kept].probability < least) break;
  }
  return kept;
}

// One of the n best.
int32_t TokenSampler::draw(size_t n) {
  double total = 0;
  for (size_t i = 0; i < n; ++i) total += candidates_[i].probability;
  double x = random_.uniform() * total;
  int32_t token = 0;
  for (size_t i = 0; i < n; ++i) {
    sort_first(i + 1);
    if (i > 0 && candidates_[i].probability == 0) break;  // rounding left some of x
    token = candidates_[i].token;
    x -= candidates_[i].probability;
    if (x < 0) break;
  }
  return token;
}

int32_t TokenSampler::sample(std::span<const float> logits, std::span<const int32_t> recent) {
  const bool greedy = options_.temperature == 0;
  collect(logits, recent, greedy ? 1 : static_cast<size_t>(options_.top_k));
  if (candidates_.empty()) return 0;  // no logit is a number above -infinity
  sort_first(1);
  if (greedy || std::isinf(candidates_[0].logit)) return candidates_[0].token;
  set_probabilities();
  return draw(count_kept());
}

}  // namespace bantam
