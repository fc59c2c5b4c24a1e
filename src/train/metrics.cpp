#include "train/metrics.h"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"

namespace bantam {
namespace {

nlohmann::ordered_json to_json(const MetricsRow& r) {
  nlohmann::ordered_json j = {{"step", r.step},
                              {"tokens", r.tokens},
                              {"epoch", r.epoch},
                              {"loss", r.loss},
                              {"cross_entropy", r.cross_entropy},
                              {"learning_rate", r.learning_rate},
                              {"gradient_norm", r.gradient_norm},
                              {"tokens_per_second", r.tokens_per_second},
                              {"seconds", r.seconds}};
  if (r.validated) {
    j["validation"] = {{"cross_entropy", r.validation.cross_entropy},
                       {"perplexity_token", r.validation.perplexity_token},
                       {"perplexity_word", r.validation.perplexity_word},
                       {"perplexity_byte", r.validation.perplexity_byte}};
  }
  return j;
}

MetricsRow from_json(const nlohmann::json& j) {
  MetricsRow r;
  r.step = j.at("step");
  r.tokens = j.at("tokens");
  r.epoch = j.at("epoch");
  r.loss = j.at("loss");
  r.cross_entropy = j.at("cross_entropy");
  r.learning_rate = j.at("learning_rate");
  r.gradient_norm = j.at("gradient_norm");
  r.tokens_per_second = j.at("tokens_per_second");
  r.seconds = j.at("seconds");
  if (const auto v = j.find("validation"); v != j.end()) {
    r.validated = true;
    r.validation = {v->at("cross_entropy"), v->at("perplexity_token"), v->at("perplexity_word"),
                    v->at("perplexity_byte")};
  }
  return r;
}

}  // namespace

std::vector<MetricsRow> read_metrics(const std::string& path) {
  std::vector<MetricsRow> rows;
  std::ifstream in(path);
  std::string line;
  for (int64_t n = 1; std::getline(in, line); ++n) {
    try {
      rows.push_back(from_json(nlohmann::json::parse(line)));
    } catch (const nlohmann::json::exception&) {
      // A line cut short by a crash is the last one; anywhere else the file is not ours.
      if (in.peek() == std::ifstream::traits_type::eof()) break;
      fail(ErrorKind::format, path, "line {}: expected the metrics of a step", n);
    }
  }
  return rows;
}

MetricsLog::MetricsLog(std::string path, int64_t resumed_step) : path_(std::move(path)) {
  if (resumed_step > 0 && std::filesystem::exists(path_)) rows_ = read_metrics(path_);
  std::erase_if(rows_, [&](const MetricsRow& r) { return r.step > resumed_step; });
  std::string text;
  for (const MetricsRow& r : rows_) text += to_json(r).dump() + "\n";
  write_text_file(path_, text);
}

void MetricsLog::add(const MetricsRow& row) {
  rows_.push_back(row);
  std::ofstream out(path_, std::ios::app);
  out << to_json(row).dump() << '\n';
  if (!out.flush()) fail(ErrorKind::file, path_, "expected to append a line, got an error");
}

}  // namespace bantam
