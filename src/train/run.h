#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "data/shards.h"
#include "train/metrics.h"
#include "train/recipe.h"

namespace bantam {

// What a run tells while it goes on. Every member may be empty.
struct RunEvents {
  std::function<void(std::string_view)> message;  // one line of news
  // After a logged step: its metrics, all steps, and seconds left at the present speed.
  std::function<void(const MetricsRow&, int64_t total_steps, double seconds_left)> progress;
  std::function<void(int64_t step, std::string_view text)> sample;
  // Asked after each step; true saves a checkpoint and ends the run.
  std::function<bool()> should_stop;
};

struct RunResult {
  bool finished = false;   // false: stopped early, a checkpoint is there
  std::string model_path;  // written when finished
  int64_t steps = 0;
  double seconds = 0;
  Validation validation;
  TrainingMemory memory;
};

// Trains (or, with a teacher in the recipe, distils) a model: learns the tokenizer, writes the
// shards, trains with checkpoints, and writes model.gguf, metrics.jsonl and report.html to the
// recipe's output folder. What is already there from an earlier, interrupted run is used again; the
// result is the same to the bit.
RunResult run_training(const Recipe& recipe, const RunEvents& events = {});

// Tokenizer and tokenised text of a recipe.
struct PreparedData {
  std::shared_ptr<const Tokenizer> tokenizer;
  std::string train_path;
  std::vector<std::string> valid_paths;
  int64_t valid_bytes = 0, valid_words = 0;
};
PreparedData prepare_data(const Recipe& recipe, const RunEvents& events, ThreadPool& pool);

}  // namespace bantam
