#pragma once

#include "models/builder.h"

namespace bantam {

// Parts of a transformer block that several families share. All work on the builder's current
// block, with the names that GGUF gives to weights.

// Queries [N, H, D], keys [N, K, D] and values [N, K, E].
struct Heads {
  Value q, k, v;
};

// E.
int64_t value_size(const ModelConfig& c);
// attn_q, attn_k and attn_v, or attn_qkv where the model has the three in one matrix.
Heads project_heads(Builder& b, const ModelConfig& c, Value x, Bias bias = Bias::where_present);
// attn_qkv.
Heads project_fused_heads(Builder& b, const ModelConfig& c, Value x,
                          Bias bias = Bias::where_present);
// RMS normalisation of every query and key: attn_q_norm, attn_k_norm [D].
Heads normalise(Builder& b, const ModelConfig& c, const Heads& heads);
// Rotates queries and keys to their positions.
Heads rotate(Builder& b, const ModelConfig& c, const Heads& heads);
// Attention over all heads, and attn_output back to the width of the stream. The scale and the soft
// cap are the configuration's, and so is the window if the block is a windowed one.
Value attend(Builder& b, const ModelConfig& c, const Heads& heads, Bias bias = Bias::where_present);

// ffn_down(silu(ffn_gate x) * ffn_up x) (Shazeer 2020).
Value swiglu_feed_forward(Builder& b, const ModelConfig& c, Value x);
// The same with GELU.
Value geglu_feed_forward(Builder& b, const ModelConfig& c, Value x);
// ffn_down(activation(ffn_up x)).
using Activation = Value (*)(Graph&, Value);
Value feed_forward(Builder& b, const ModelConfig& c, Value x, Activation activation,
                   Bias bias = Bias::where_present);

// output_norm and the head, which is the embedding table where the two are tied.
Value rms_norm_head(Builder& b, const ModelConfig& c, Value x);
Value layer_norm_head(Builder& b, const ModelConfig& c, Value x);

}  // namespace bantam
