#include "models/architectures.h"
#include "models/blocks.h"

// Phi-3, Phi-3.5 and Phi-4 (Abdin et al. 2024): Llama's blocks with fused projections. Models for
// long texts divide the rotary frequencies by factors of their own (LongRoPE, Ding et al. 2024).

namespace bantam {
namespace {

void keys(ConfigKeys& k, ModelConfig& c) {
  decoder_keys(k, c);
  window_keys(k, c, 0, 0);
}

Value attention(Builder& b, const ModelConfig& c, Value x) {
  const Value h = b.rms_norm(x, b.name("attn_norm"), c.norm_eps);
  return attend(b, c, rotate(b, c, project_fused_heads(b, c, h)));
}

Value feed_forward(Builder& b, const ModelConfig& c, Value x) {
  const Value h = b.rms_norm(x, b.name("ffn_norm"), c.norm_eps);
  const int64_t F = c.feed_forward(b.block());
  const Value both = b.linear(h, b.name("ffn_up"), 2 * F);
  const Value gate = ops::slice_columns(b.g, both, 0, F);
  const Value up = ops::slice_columns(b.g, both, F, F);
  return b.dropout(b.linear(ops::swiglu(b.g, gate, up), b.name("ffn_down"), c.embedding_length));
}

Value build(Builder& b, const ModelConfig& c) {
  Value x = b.embed("token_embd", c.vocab_size, c.embedding_length);
  for (int64_t block = 0; block < c.block_count; ++block) {
    b.block(block);
    x = ops::add(b.g, x, attention(b, c, x));
    x = ops::add(b.g, x, feed_forward(b, c, x));
  }
  return rms_norm_head(b, c, x);
}

}  // namespace

extern const Architecture phi3_architecture{.name = "phi3", .keys = keys, .build = build};

}  // namespace bantam
