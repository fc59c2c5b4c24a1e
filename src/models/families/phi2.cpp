#include "models/architectures.h"
#include "models/blocks.h"

// Phi-1.5 and Phi-2 (Li et al. 2023): attention and feed-forward read the same normalised stream
// and are added together; a part of each head is rotated, every projection has a bias.

namespace bantam {
namespace {

void keys(ConfigKeys& k, ModelConfig& c) {
  size_keys(k, c);
  head_keys(k, c);
  layer_norm_keys(k, c);
  rope_keys(k, c);
}

Value block_of(Builder& b, const ModelConfig& c, Value x) {
  const Value h = b.layer_norm(x, b.name("attn_norm"), c.norm_eps);
  const Heads heads = rotate(b, c, project_heads(b, c, h, Bias::always));
  const Value mixed = attend(b, c, heads, Bias::always);
  return ops::add(b.g, mixed, feed_forward(b, c, h, ops::gelu, Bias::always));
}

Value build(Builder& b, const ModelConfig& c) {
  Value x = b.embed("token_embd", c.vocab_size, c.embedding_length);
  for (int64_t block = 0; block < c.block_count; ++block) {
    b.block(block);
    x = ops::add(b.g, x, block_of(b, c, x));
  }
  return layer_norm_head(b, c, x);
}

}  // namespace

extern const Architecture phi2_architecture{.name = "phi2", .keys = keys, .build = build};

}  // namespace bantam
