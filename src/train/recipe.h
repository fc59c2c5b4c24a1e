#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/corpora.h"
#include "train/learn_tokenizer.h"
#include "train/schedule.h"
#include "train/trainer.h"

namespace bantam {

// Everything that a training run needs to know, as a TOML file says it; docs/training.md lists the
// keys. Paths are relative to the recipe's folder.
struct Recipe {
  std::string path;    // of the file itself
  std::string name;    // general.name of the model
  std::string output;  // folder for the model, checkpoints, metrics and the report
  std::string licence;
  uint64_t fingerprint = 0;  // of the text of the file

  std::vector<SourceSpec> sources;
  std::vector<std::string> valid_files;  // held-out text beside the held-out documents
  int64_t held_out_every = 100;

  LearnTokenizer::Kind tokenizer_kind = LearnTokenizer::bpe;
  int64_t vocabulary = 8192;    // of a tokenizer trained on the sources...
  std::string tokenizer_model;  // ...or the GGUF file to take the tokenizer from

  ModelConfig model;
  TrainerOptions trainer;
  Schedule schedule;
  double epochs = 0;  // used when steps are not given
  int64_t eval_every = 0, sample_every = 0, checkpoint_every = 0, log_every = 10;
  std::vector<std::string> sample_prompts;
  DType output_type = DType::f16;

  std::string teacher;  // a GGUF file: this is a distillation
  DistillOptions distill;
};

// Reads and checks a recipe. Unknown keys, wrong types and numbers out of range give one error that
// names the file and the key.
Recipe read_recipe(const std::string& path);
Recipe parse_recipe(std::string_view text, const std::string& path);

}  // namespace bantam
