#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/engine.h"

namespace bantam {

// Repeated measurements of one thing.
class Samples {
 public:
  void add(double value);
  [[nodiscard]] size_t count() const { return values_.size(); }
  // The value below which the fraction p (0..1) of the samples lies; 0 without samples.
  [[nodiscard]] double quantile(double p) const;
  [[nodiscard]] double median() const { return quantile(0.5); }

 private:
  std::vector<double> values_;  // ascending
};

struct SpeedOptions {
  int64_t prompt = 512;  // tokens that are read at once
  int64_t tokens = 128;  // tokens that are generated one by one, in each sequence
  int64_t depth = 0;     // tokens that are in the cache before
  int64_t sequences = 1;
  int64_t repetitions = 5;  // after one to warm up
  int threads = 0;
  DType cache_type = DType::f16;
  bool interleave = true;      // see EngineOptions
  bool screened_head = false;  // of which the largest logit is asked for
  // Afterwards tokens are generated for so long: what is left when the processor is warm.
  double sustain_seconds = 0;
  std::function<void(double done)> on_sustained;  // 0 to 1, now and then
};

// A part of a long measurement.
struct Period {
  double begin = 0;  // seconds after its start
  double tokens_per_second = 0;
};

// Rates count the tokens of all sequences.
struct Speed {
  SpeedOptions options;  // as it was run: cut to the model's context
  int threads = 0;
  Samples prefill, decode;       // tokens per second, one sample a repetition
  Samples token_seconds;         // one sample a step of decoding
  Samples first_token_seconds;   // prompt to first token
  double bytes_per_token = 0;    // read while decoding, at the middle of the run
  double read_bandwidth = 0;     // bytes per second, measured in the same run
  double roofline_fraction = 0;  // of that bandwidth, reached by decoding
  // Of products with quantised weights, while the prompt was read; 0 where there are none.
  double prefill_operations = 0;         // for each token
  double product_peak = 0;               // operations per second, measured in the same run
  double prefill_roofline_fraction = 0;  // of that peak, reached by the whole of prefill
  std::vector<Period> sustained;         // of equal length
  MemoryPlan memory;
  double start_seconds = 0;  // to make the engine: plan, interleave weights
  int64_t peak_bytes = 0;    // of the process, before the bandwidth was measured
};

// Prefill and decode of random tokens, as `bantam bench` shows them.
Speed measure_speed(const std::shared_ptr<const Model>& model, const SpeedOptions& options);

}  // namespace bantam
