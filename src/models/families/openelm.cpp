#include "models/architectures.h"
#include "models/blocks.h"

// OpenELM (Mehta et al. 2024): heads and feed-forward grow from block to block; queries and keys
// are normalised in each head.

namespace bantam {
namespace {

Value attention(Builder& b, const ModelConfig& c, Value x) {
  const Value h = b.rms_norm(x, b.name("attn_norm"), c.norm_eps);
  return attend(b, c, rotate(b, c, normalise(b, c, project_fused_heads(b, c, h))));
}

Value build(Builder& b, const ModelConfig& c) {
  Value x = b.embed("token_embd", c.vocab_size, c.embedding_length);
  for (int64_t block = 0; block < c.block_count; ++block) {
    b.block(block);
    x = ops::add(b.g, x, attention(b, c, x));
    const Value h = b.rms_norm(x, b.name("ffn_norm"), c.norm_eps);
    x = ops::add(b.g, x, swiglu_feed_forward(b, c, h));
  }
  return rms_norm_head(b, c, x);
}

}  // namespace

extern const Architecture openelm_architecture{
    .name = "openelm", .keys = decoder_keys, .build = build};

}  // namespace bantam
