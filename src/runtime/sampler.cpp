#include "runtime/sampler.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace bantam {
namespace {

// Ties go to the lower id, so that the order never depends on the sorting algorithm.
bool better(const TokenSampler::Candidate& a, const TokenSampler::Candidate& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
}

int32_t arg_max(std::span<const float> logits) {
  return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

void keep_best(std::vector<TokenSampler::Candidate>& c, size_t n) {
  if (n < c.size()) {
    std::nth_element(c.begin(), c.begin() + static_cast<int64_t>(n), c.end(), better);
    c.resize(n);
  }
  std::sort(c.begin(), c.end(), better);
}

// Candidates sorted best first; sets probabilities.
void softmax(std::vector<TokenSampler::Candidate>& c, double temperature) {
  double sum = 0;
  for (auto& x : c) {
    const double e = std::exp((static_cast<double>(x.logit) - c[0].logit) / temperature);
    x.probability = static_cast<float>(e);
    sum += e;
  }
  for (auto& x : c) x.probability = static_cast<float>(x.probability / sum);
}

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

void TokenSampler::penalise(std::span<const int32_t> recent) {
  const auto window = std::min(recent.size(), static_cast<size_t>(options_.repetition_window));
  std::vector<int32_t> seen(recent.end() - static_cast<int64_t>(window), recent.end());
  std::sort(seen.begin(), seen.end());
  seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
  for (const int32_t token : seen) {
    float& x = logits_[static_cast<size_t>(token)];
    x = x > 0 ? x / options_.repetition_penalty : x * options_.repetition_penalty;
  }
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

int32_t TokenSampler::sample(std::span<const float> logits, std::span<const int32_t> recent) {
  logits_.assign(logits.begin(), logits.end());
  if (options_.repetition_penalty != 1) penalise(recent);
  if (options_.temperature == 0) return arg_max(logits_);

  candidates_.clear();
  for (size_t i = 0; i < logits_.size(); ++i) {
    candidates_.push_back({static_cast<int32_t>(i), logits_[i], 0});
  }
  const bool cut = options_.top_k > 0;
  keep_best(candidates_, cut ? static_cast<size_t>(options_.top_k) : candidates_.size());
  softmax(candidates_, options_.temperature);
  if (options_.top_p < 1) {
    float sum = 0;
    size_t n = 0;
    while (n < candidates_.size() && sum < options_.top_p) sum += candidates_[n++].probability;
    candidates_.resize(std::max<size_t>(n, 1));
  }
  const float least = options_.min_p * candidates_[0].probability;
  while (candidates_.size() > 1 && candidates_.back().probability < least) candidates_.pop_back();

  float total = 0;
  for (const Candidate& c : candidates_) total += c.probability;
  float x = random_.uniform() * total;
  for (const Candidate& c : candidates_) {
    x -= c.probability;
    if (x < 0) return c.token;
  }
  return candidates_.back().token;
}

std::vector<TokenSampler::Candidate> top_tokens(std::span<const float> logits, size_t n) {
  const float top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  std::vector<TokenSampler::Candidate> c;
  c.reserve(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) {
    c.push_back({static_cast<int32_t>(i), logits[i], 0});
    sum += std::exp(static_cast<double>(logits[i]) - top);
  }
  keep_best(c, n);
  for (auto& x : c) {
    x.probability = static_cast<float>(std::exp(static_cast<double>(x.logit) - top) / sum);
  }
  return c;
}

}  // namespace bantam
