#include "models/architectures.h"
#include "models/blocks.h"

// GPT-2 (Radford et al. 2019) and DistilGPT-2: learned positions, layer normalisation before each
// part of a block, GELU, a bias everywhere.

namespace bantam {
namespace {

void keys(ConfigKeys& k, ModelConfig& c) {
  size_keys(k, c);
  head_keys(k, c);
  layer_norm_keys(k, c);
}

Value attention(Builder& b, const ModelConfig& c, Value x) {
  const Value h = b.layer_norm(x, b.name("attn_norm"), c.norm_eps);
  return attend(b, c, project_fused_heads(b, c, h, Bias::always), Bias::always);
}

Value mlp(Builder& b, const ModelConfig& c, Value x) {
  const Value h = b.layer_norm(x, b.name("ffn_norm"), c.norm_eps);
  return feed_forward(b, c, h, ops::gelu, Bias::always);
}

Value build(Builder& b, const ModelConfig& c) {
  const Value tokens = b.embed("token_embd", c.vocab_size, c.embedding_length);
  const Value places = b.embed_positions("position_embd", c.context_length, c.embedding_length);
  Value x = ops::add(b.g, tokens, places);
  for (int64_t block = 0; block < c.block_count; ++block) {
    b.block(block);
    x = ops::add(b.g, x, attention(b, c, x));
    x = ops::add(b.g, x, mlp(b, c, x));
  }
  return layer_norm_head(b, c, x);
}

}  // namespace

extern const Architecture gpt2_architecture{.name = "gpt2", .keys = keys, .build = build};

}  // namespace bantam
