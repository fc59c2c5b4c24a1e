#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "models/architectures.h"
#include "models/model.h"

namespace bantam {

// The numbers of a published model.
struct KnownShape {
  std::string_view name;  // "llama-3.2-1b"
  ModelConfig config;
};
std::span<const KnownShape> known_shapes();
// Throws ErrorKind::usage with the known names.
const ModelConfig& known_shape(std::string_view name);

// A model of these numbers with made-up weights, for measuring speed and memory: it computes what
// the real one would, and says nonsense. Matrices repeat a few dozen random rows, so that billions
// of parameters are there in seconds; `type_of` gives the type of each matrix. The tokenizer knows
// bytes and fills the vocabulary up. The same seed gives the same model.
Model random_model(const ModelConfig& config,
                   const std::function<DType(const WeightShape&)>& type_of, uint64_t seed = 1);

}  // namespace bantam
