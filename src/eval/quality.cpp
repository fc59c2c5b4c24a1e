#include "eval/quality.h"

#include <fmt/format.h>

#include <algorithm>

namespace bantam {

double bits_per_weight(const Model& model) {
  return 8.0 * static_cast<double>(model.weight_bytes()) / static_cast<double>(model.parameters());
}

QualityReport measure_quality(std::shared_ptr<const Model> before,
                              std::shared_ptr<const Model> after, std::span<const TokenText> texts,
                              const EvaluateOptions& options) {
  QualityReport r{before->weight_bytes(),
                  after->weight_bytes(),
                  bits_per_weight(*before),
                  bits_per_weight(*after),
                  {}};
  if (!texts.empty()) r.measured = divergence(after, before, texts, options);
  return r;
}

void store_quality(const QualityReport& report, std::string_view prefix, Model& model) {
  const auto set = [&](std::string_view key, double value) {
    set_metadata(model, fmt::format("{}.{}", prefix, key), value);
  };
  set("bits_per_weight", report.bits_after);
  if (!report.measured) return;
  const DivergenceResult& d = *report.measured;
  set("perplexity_before", d.reference.perplexity());
  set("perplexity_after", d.model.perplexity());
  set("mean_kl", d.mean_kl);
  set("top1_agreement", d.top1_agreement);
  set_metadata(model, fmt::format("{}.tokens", prefix), static_cast<uint64_t>(d.model.tokens));
}

void set_metadata(Model& model, std::string_view key, GgufValue value) {
  const auto found = std::find_if(model.metadata.begin(), model.metadata.end(),
                                  [&](const auto& entry) { return entry.first == key; });
  if (found != model.metadata.end()) {
    found->second = std::move(value);
  } else {
    model.metadata.emplace_back(key, std::move(value));
  }
}

}  // namespace bantam
