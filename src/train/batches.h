#pragma once

#include <memory>

#include "data/sampler.h"
#include "train/run.h"

namespace bantam {

// What a run learns from and is measured on: texts, or pairs for an encoder-decoder.
struct RunBatches {
  std::shared_ptr<const void> shards;  // keeps what the others read
  std::unique_ptr<BatchSource> train;
  std::unique_ptr<BatchList> valid;
  uint64_t tokens = 0;  // to learn from
  double steps_per_epoch = 0;
};

// `config` is the model's, with its vocabulary.
RunBatches make_batches(const PreparedData& data, const ModelConfig& config,
                        const TrainerOptions& options);

inline TrainingBatch view_of(const TokenBatch& b) {
  return {b.ids, b.targets, b.source_ids, b.source_lengths};
}

}  // namespace bantam
