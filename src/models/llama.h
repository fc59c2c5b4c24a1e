#pragma once

#include "models/builder.h"

namespace bantam {

// Llama (Touvron et al. 2023): pre-norm blocks of grouped-query attention with rotary positions and
// a SwiGLU feed-forward. Returns the logits [M, V].
Value build_llama(Builder& b, const ModelConfig& config);

}  // namespace bantam
