#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "eval/windows.h"
#include "models/model.h"

namespace bantam {

struct EvaluateOptions {
  int64_t context = 0;  // inputs of a window; 0: what the model was trained for
  int64_t stride = 0;   // new targets of each window; 0: as many as the context, no overlap
  int64_t limit = 0;    // most tokens to score, from the start of the texts; 0: all
  int threads = 0;
  DType cache_type = DType::f32;
  int64_t cache_window = 0, cache_sinks = 64;  // as in EngineOptions; a reference sees all
  int64_t cache_heavy = 0;
  bool exact = false;  // as in EngineOptions; of the reference too
  // Called after each window with the share that is done; false stops, and what was measured so far
  // is the result.
  std::function<bool(double done)> on_progress;
};

// How well a model foretells texts. `nll` is the sum of -log p over `tokens`, in nats.
struct PerplexityResult {
  double nll = 0;
  int64_t tokens = 0, words = 0, bytes = 0;
  double seconds = 0;

  [[nodiscard]] double perplexity() const { return per(tokens); }
  [[nodiscard]] double word_perplexity() const { return per(words); }
  [[nodiscard]] double byte_perplexity() const { return per(bytes); }
  [[nodiscard]] double bits_per_byte() const {
    return bytes > 0 ? nll / std::log(2.0) / static_cast<double>(bytes) : 0;
  }

 private:
  [[nodiscard]] double per(int64_t n) const {
    return n > 0 ? std::exp(nll / static_cast<double>(n)) : 0;
  }
};

// How far a model has moved from a reference on the same texts (both have the same vocabulary).
struct DivergenceResult {
  PerplexityResult model, reference;
  double mean_kl = 0;         // KL(reference || model) per token, in nats
  double max_kl = 0;          // of the worst token
  double top1_agreement = 0;  // share of tokens where both rank the same token first
};

//   auto texts = read_texts(*model, paths);
//   fmt::print("{:.2f}\n", perplexity(model, texts, {}).perplexity());
// A window starts with BOS if the tokenizer puts it before texts. Results do not depend on threads.
PerplexityResult perplexity(std::shared_ptr<const Model> model, std::span<const TokenText> texts,
                            const EvaluateOptions& options);

// Throws ErrorKind::model if the vocabularies differ in size.
DivergenceResult divergence(std::shared_ptr<const Model> model,
                            std::shared_ptr<const Model> reference,
                            std::span<const TokenText> texts, const EvaluateOptions& options);

}  // namespace bantam
