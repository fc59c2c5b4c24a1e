#pragma once

#include <span>
#include <string_view>

#include "models/builder.h"

namespace bantam {

// One row per architecture that Bantam knows.
struct Architecture {
  std::string_view name;  // general.architecture
  ops::RopePairs rope_pairs;
  Value (*build)(Builder&, const ModelConfig&);
};

std::span<const Architecture> architectures();
// Throws ErrorKind::model with the known names.
const Architecture& find_architecture(std::string_view name, std::string_view where);

// Builds the logits of a model into b's graph with the architecture that the configuration names.
Value build_model(Builder& b, const ModelConfig& config);

struct WeightShape {
  std::string name;
  Shape shape;
};
// Every weight that the architecture reads, in the order of the graph.
std::vector<WeightShape> required_weights(const ModelConfig& config);

}  // namespace bantam
