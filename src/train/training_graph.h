#pragma once

#include <memory>
#include <optional>

#include "graph/plan.h"
#include "train/trainer.h"

namespace bantam {

// The plans of training. Leaves: weights by name; states "grad.NAME", "m.NAME", "v.NAME"; inputs
// "ids", "sequences", "positions", "targets" i32 [B T], "seed" i32 [1] with dropout, "hyper" f32
// [8], with sources "seen_ends" [B T] and source_*, as models/builder.h says; the teacher's weights
// as "teacher.NAME".
struct TrainingPlans {
  std::shared_ptr<const Plan> gradient;  // adds a micro-batch to grad.*; outputs "loss", "ce" [1]
  std::shared_ptr<const Plan> norm;      // output "squares" [1]: sum over all gradients
  std::shared_ptr<const Plan> update;    // AdamW on every weight
  std::shared_ptr<const Plan> evaluate;  // output "ce" [1]: sum over the rows
};

TrainingPlans make_training_plans(const ModelConfig& config, const TrainerOptions& options,
                                  const Model* teacher,
                                  const std::optional<DistillOptions>& distill, int threads);

}  // namespace bantam
