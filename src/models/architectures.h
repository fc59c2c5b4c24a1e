#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>

#include "models/builder.h"
#include "models/config_keys.h"

namespace bantam {

// A model architecture, defined in its own file under models/families/ and listed in
// architectures.inc.
struct Architecture {
  std::string_view name;  // general.architecture
  ops::RopePairs rope_pairs = ops::RopePairs::halves;
  // The keys that it reads from metadata and writes to it.
  void (*keys)(ConfigKeys&, ModelConfig&) = nullptr;
  // Adds the model to the builder's graph and returns the logits [M, V]; of an encoder, rows of its
  // width.
  Value (*build)(Builder&, const ModelConfig&) = nullptr;
};

std::span<const Architecture* const> architectures();
// Throws ErrorKind::model with the known names.
const Architecture& find_architecture(std::string_view name, std::string_view where);

// Builds the logits of a model into b's graph with the architecture that the configuration names.
Value build_model(Builder& b, const ModelConfig& config);

struct WeightShape {
  std::string name;
  Shape shape;
  bool f32_only = false;  // computed with in f32, whatever a file stores it in
};
// Every weight that the architecture reads, in the order of the graph. Optional ones (biases) are
// among them where `has_weight` says so.
std::vector<WeightShape> required_weights(
    const ModelConfig& config, const std::function<bool(std::string_view)>& has_weight = {});
// The names of a model's weights that are computed with in f32: files keep them in it.
std::set<std::string, std::less<>> f32_weights(const Model& model);

}  // namespace bantam
