#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"
#include "runtime/largest_logits.h"

namespace bantam {

// How the next token is chosen. The steps apply in this order: repetition penalty (Keskar et al.
// 2019), top-k, temperature, top-p (Holtzman et al. 2020), min-p (Nguyen et al. 2024).
struct SamplerOptions {
  float temperature = 0.8f;         // 0: greedy, the most probable token
  int32_t top_k = 40;               // 0: all
  float top_p = 0.95f;              // 1: all
  float min_p = 0.0f;               // least probability relative to the best; 0: all
  float repetition_penalty = 1.0f;  // of the last `repetition_window` tokens; 1: none
  int32_t repetition_window = 64;
  uint64_t seed = 0;
};

// Throws ErrorKind::usage if an option is out of range.
void check_sampler_options(const SamplerOptions& options);

// Chooses tokens; the same seed and logits give the same tokens.
class TokenSampler {
 public:
  explicit TokenSampler(const SamplerOptions& options);

  // `logits` [V] of the next token, `recent` the tokens so far (the newest last).
  int32_t sample(std::span<const float> logits, std::span<const int32_t> recent);

  // How many of the largest logits decide what `sample` gives, whatever the rest; 0: all.
  [[nodiscard]] int32_t decisive() const;

 private:
  struct Candidate : TokenLogit {
    float probability;
  };

  void collect(std::span<const float> logits, std::span<const int32_t> recent, size_t k);
  [[nodiscard]] float penalised(float logit) const;
  void set_probabilities();
  void sort_first(size_t n);
  [[nodiscard]] size_t count_kept();
  int32_t draw(size_t n);

  SamplerOptions options_;
  Random random_;
  std::vector<int32_t> seen_;  // of the repetition window, sorted
  std::vector<TokenLogit> largest_;
  std::vector<Candidate> candidates_;
  size_t sorted_ = 0;  // so many candidates are in order; the rest are worse
  std::vector<float> scaled_;
};

}  // namespace bantam
