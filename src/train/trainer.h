#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "graph/ops.h"
#include "graph/plan.h"
#include "models/model.h"

namespace bantam {

// How a student learns from a frozen teacher (Hinton et al. 2015):
//   loss = alpha T^2 D(teacher, student) + (1 - alpha) cross-entropy.
struct DistillOptions {
  double alpha = 0.7;
  double temperature = 2;
  ops::Divergence divergence = ops::Divergence::forward_kl;
};

struct TrainerOptions {
  int64_t sequences = 16;       // B of one micro-batch
  int64_t length = 256;         // T
  int64_t source_length = 0;    // encoder-decoders: longest source; 0: as long as T
  int64_t accumulation = 1;     // micro-batches in a step
  DType compute = DType::bf16;  // of projections and attention; master weights are f32
  bool checkpoint_activations = false;
  double dropout = 0;
  double beta1 = 0.9, beta2 = 0.95, eps = 1e-8;
  double weight_decay = 0.1;     // of matrices; vectors are not decayed
  double clip = 1;               // largest norm of the gradient, 0: none
  double expert_balance = 0.01;  // weight of the loss that spreads rows over experts
  uint64_t seed = 1;
  int threads = 0;

  [[nodiscard]] int64_t rows() const { return sequences * length; }
  [[nodiscard]] int64_t source_rows() const {
    return sequences * (source_length > 0 ? source_length : length);
  }
  [[nodiscard]] int64_t tokens_per_step() const { return rows() * accumulation; }
};

// Ids and next ids of B sequences of T tokens, row by row. Targets below 0 are not learnt.
// Encoder-decoders read B sources besides, each in a row of its own length: tokens after it are not
// seen.
struct TrainingBatch {
  std::span<const int32_t> ids, targets;
  std::span<const int32_t> source_ids = {}, source_lengths = {};
};

struct StepResult {
  double loss = 0;           // what was minimised, mean per target
  double cross_entropy = 0;  // mean per target
  double gradient_norm = 0;  // before clipping
};

// Where training bytes go, exact and known before they are allocated.
struct TrainingMemory {
  int64_t weights = 0, gradients = 0, moments = 0, activations = 0, inputs = 0;
  int64_t teacher = 0;  // its file, and its weights in the type that they compute in
  int64_t process = 0;  // what the process holds already: program, tokenizer, text, plans
  int64_t results = 0;  // samples while training, or the model that is written at the end
  [[nodiscard]] int64_t total() const {
    return weights + gradients + moments + teacher + activations + inputs + process + results;
  }
};

// Fresh weights: normal with deviation 0.02, the projections that write to the residual stream
// smaller by sqrt(2 L) (Radford et al. 2019), norms 1, biases 0.
Weights initial_weights(const ModelConfig& config, uint64_t seed);

// A model in training: master weights, AdamW moments, and the graphs that update them. Everything
// is computed by executing graphs; the same batches give the same bits for any number of threads.
class Trainer {
 public:
  // The weights are f32 and are updated in place. The teacher, if any, must have the student's
  // vocabulary (ErrorKind::model otherwise).
  Trainer(ModelConfig config, Weights weights, const TrainerOptions& options,
          std::shared_ptr<const Model> teacher = {}, std::optional<DistillOptions> distill = {});
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  // One optimiser step over `accumulation` micro-batches.
  StepResult step(std::span<const TrainingBatch> batches, double learning_rate);
  // Sum of the cross-entropy over the targets of one batch (at most B x T tokens), without dropout.
  struct Evaluation {
    double cross_entropy = 0;
    int64_t targets = 0;
  };
  Evaluation evaluate(const TrainingBatch& batch);

  // Steps taken so far, and what a checkpoint holds besides: weights and both moments.
  [[nodiscard]] int64_t steps() const;
  [[nodiscard]] const ModelConfig& config() const;
  [[nodiscard]] const Weights& weights() const;
  [[nodiscard]] const Weights& first_moments() const;
  [[nodiscard]] const Weights& second_moments() const;
  // Copies a checkpoint's values in.
  void restore(int64_t steps, const Weights& weights, const Weights& m, const Weights& v);

  [[nodiscard]] const TrainerOptions& options() const;
  [[nodiscard]] const TrainingMemory& memory() const;
  [[nodiscard]] ThreadPool& pool();
  // Called after each step of the forward-backward plan: for profiles.
  void observe(Executor::Observer observer, void* user);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// What a trainer with these options would need, without making it.
TrainingMemory plan_training(const ModelConfig& config, const TrainerOptions& options,
                             const Model* teacher = nullptr);

}  // namespace bantam
