#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "models/model.h"

namespace bantam {

// A mixture of types as GGUF files have them: most weights in one type, those that suffer most
// (values, the way out of the feed-forward part, the output head) in a larger one.
struct Mixture;

const Mixture* find_mixture(std::string_view name);  // "q4_k_m", any letter case; null if unknown
std::vector<std::string_view> mixture_names();

// The type that the mixture gives to the named matrix of a model of this configuration. `head`: it
// is the output head (with tied embeddings, the embedding).
DType mixture_type(const Mixture& mixture, std::string_view weight, bool head,
                   const ModelConfig& config);

}  // namespace bantam
