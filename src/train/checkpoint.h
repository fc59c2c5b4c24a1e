#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/sampler.h"
#include "train/trainer.h"

namespace bantam {

// The best validation so far and where the data stand: what a run needs besides the trainer.
struct RunState {
  int64_t steps = 0;
  Sampler::State sampler;
  double seconds = 0;        // of training, over all resumptions
  uint64_t fingerprint = 0;  // of the recipe's model, data and optimiser
};

// One file with weights, both moments and the run's state; it replaces the previous one only when
// complete. Resuming from it continues to the same bits.
void save_checkpoint(const std::string& path, const Trainer& trainer, const RunState& state);
// Throws ErrorKind::format or model if the file does not belong to this trainer or fingerprint.
RunState load_checkpoint(const std::string& path, Trainer& trainer, uint64_t fingerprint);

}  // namespace bantam
