#include "models/architectures.h"
#include "models/blocks.h"

// EXAONE 4 (LG AI Research 2025): what a block computes is normalised, not what it reads, and so
// are queries and keys in each head. In models with windowed blocks only those know positions.

namespace bantam {
namespace {

void keys(ConfigKeys& k, ModelConfig& c) {
  decoder_keys(k, c);
  window_keys(k, c, 0, 4);
}

Value attention(Builder& b, const ModelConfig& c, Value x) {
  const Heads heads = normalise(b, c, project_heads(b, c, x));
  const bool rotated = c.window == 0 || c.windowed(b.block());
  const Value y = attend(b, c, rotated ? rotate(b, c, heads) : heads);
  return b.rms_norm(y, b.name("post_attention_norm"), c.norm_eps);
}

Value build(Builder& b, const ModelConfig& c) {
  Value x = b.embed("token_embd", c.vocab_size, c.embedding_length);
  for (int64_t block = 0; block < c.block_count; ++block) {
    b.block(block);
    x = ops::add(b.g, x, attention(b, c, x));
    const Value y = swiglu_feed_forward(b, c, x);
    x = ops::add(b.g, x, b.rms_norm(y, b.name("post_ffw_norm"), c.norm_eps));
  }
  return rms_norm_head(b, c, x);
}

}  // namespace

extern const Architecture exaone4_architecture{.name = "exaone4", .keys = keys, .build = build};

}  // namespace bantam
