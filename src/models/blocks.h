#pragma once

#include "models/builder.h"

namespace bantam {

// Parts of a transformer block that several families share. All work on the builder's current
// block, with the names that GGUF gives to weights.

// Queries [N, H, D], keys [N, K, D] and values [N, K, D].
struct Heads {
  Value q, k, v;
};

// attn_q, attn_k, attn_v.
Heads project_heads(Builder& b, const ModelConfig& c, Value x, Bias bias = Bias::where_present);
// RMS normalisation of every query and key: attn_q_norm, attn_k_norm [D].
Heads normalise(Builder& b, const ModelConfig& c, Heads heads);
// Rotates queries and keys to their positions.
Heads rotate(Builder& b, const ModelConfig& c, Heads heads);
// Attention over all heads, and attn_output back to the width of the stream.
Value attend(Builder& b, const ModelConfig& c, const Heads& heads);

// ffn_down(silu(ffn_gate x) * ffn_up x) (Shazeer 2020).
Value swiglu_feed_forward(Builder& b, const ModelConfig& c, Value x);

// output_norm and the head, which is the embedding table where the two are tied.
Value rms_norm_head(Builder& b, const ModelConfig& c, Value x);

}  // namespace bantam
