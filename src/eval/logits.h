#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "runtime/engine.h"

namespace bantam {

// An engine that gives the logits of every token of one sequence, `context` long. Runs are cut so
// that the logits of one stay small.
std::unique_ptr<Engine> make_logits_engine(std::shared_ptr<const Model> model,
                                           EngineOptions options);
std::unique_ptr<Engine> make_logits_engine(std::shared_ptr<const Model> model, int64_t context,
                                           int threads, DType cache_type);

// Of an encoder-decoder: what the logits are given.
void read_source(Engine& engine, std::span<const int32_t> source);

// The logits [n, V] of tokens[first] and the n - 1 that follow, in one run; those before `first`
// must have been run.
void run_logits(Engine& engine, std::span<const int32_t> tokens, int64_t first, int64_t n,
                std::span<float> logits);

// Feeds the tokens from position 0 in runs of at most `split` (0: the engine's batch) and hands
// over each run's logits [n, V], valid during the call; `first` is the position of the first row.
using OnLogits = std::function<void(int64_t first, int64_t n, std::span<const float> logits)>;
void for_each_logits(Engine& engine, std::span<const int32_t> tokens, int64_t split,
                     const OnLogits& on_logits);

// The same in one piece: [n, V].
std::vector<float> sequence_logits(Engine& engine, std::span<const int32_t> tokens,
                                   int64_t split = 0);

}  // namespace bantam
