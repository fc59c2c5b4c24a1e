#pragma once

#include <optional>
#include <string_view>

#include "eval/perplexity.h"

namespace bantam {

// What a step (quantising, pruning, ...) did to a model's size and, where there was text to measure
// on, to its quality.
struct QualityReport {
  int64_t bytes_before = 0, bytes_after = 0;
  double bits_before = 0, bits_after = 0;  // per weight
  std::optional<DivergenceResult> measured;
};

// Without texts only sizes are compared.
QualityReport measure_quality(std::shared_ptr<const Model> before,
                              std::shared_ptr<const Model> after, std::span<const TokenText> texts,
                              const EvaluateOptions& options);

// Keeps the report in the model's metadata: "bantam.quantize.mean_kl", ... for that prefix.
void store_quality(const QualityReport& report, std::string_view prefix, Model& model);

// Sets one metadata value, in its place if the key is there.
void set_metadata(Model& model, std::string_view key, GgufValue value);

double bits_per_weight(const Model& model);

}  // namespace bantam
