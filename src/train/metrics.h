#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bantam {

// Held-out quality: the same cross-entropy, spread over tokens, words and bytes.
struct Validation {
  double cross_entropy = 0;  // mean per token, nats
  double perplexity_token = 0, perplexity_word = 0, perplexity_byte = 0;
};

// One line of metrics.jsonl.
struct MetricsRow {
  int64_t step = 0;
  int64_t tokens = 0;  // seen so far
  double epoch = 0, loss = 0, cross_entropy = 0, learning_rate = 0, gradient_norm = 0;
  double tokens_per_second = 0, seconds = 0;
  bool validated = false;
  Validation validation;
};

// The history of a run as JSON lines. Reopening drops what came after the resumed step, so that a
// resumed run's file is that of a run that was never interrupted.
class MetricsLog {
 public:
  MetricsLog(std::string path, int64_t resumed_step);
  void add(const MetricsRow& row);
  [[nodiscard]] const std::vector<MetricsRow>& rows() const { return rows_; }

 private:
  std::string path_;
  std::vector<MetricsRow> rows_;
};

std::vector<MetricsRow> read_metrics(const std::string& path);

// A page with the curves of one or more runs (SVG, no scripts, nothing loaded from elsewhere).
struct ReportRun {
  std::string name;
  std::vector<MetricsRow> rows;
};
struct ReportFact {
  std::string label, value;
};
void write_report(const std::string& path, std::string_view title,
                  const std::vector<ReportFact>& facts, const std::vector<ReportRun>& runs,
                  const std::vector<std::string>& samples);

}  // namespace bantam
