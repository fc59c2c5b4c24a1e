#include "models/architectures.h"
#include "models/blocks.h"

// GPT-NeoX (Black et al. 2022) and Pythia (Biderman et al. 2023): a part of each head is rotated;
// attention and feed-forward read the stream side by side or, in some models, one after the other.

namespace bantam {
namespace {

void keys(ConfigKeys& k, ModelConfig& c) {
  size_keys(k, c);
  head_keys(k, c);
  layer_norm_keys(k, c);
  rope_keys(k, c);
  k.flag("use_parallel_residual", c.parallel_residual, true);
}

Value attention(Builder& b, const ModelConfig& c, Value x) {
  const Value h = b.layer_norm(x, b.name("attn_norm"), c.norm_eps);
  const Heads heads = project_fused_heads(b, c, h, Bias::always);
  return attend(b, c, rotate(b, c, heads), Bias::always);
}

Value mlp(Builder& b, const ModelConfig& c, Value x) {
  const Value h = b.layer_norm(x, b.name("ffn_norm"), c.norm_eps);
  return feed_forward(b, c, h, ops::gelu_erf, Bias::always);
}

Value build(Builder& b, const ModelConfig& c) {
  Value x = b.embed("token_embd", c.vocab_size, c.embedding_length);
  for (int64_t block = 0; block < c.block_count; ++block) {
    b.block(block);
    const Value y = ops::add(b.g, x, attention(b, c, x));
    x = ops::add(b.g, y, mlp(b, c, c.parallel_residual ? x : y));
  }
  return layer_norm_head(b, c, x);
}

}  // namespace

extern const Architecture gptneox_architecture{.name = "gptneox", .keys = keys, .build = build};

}  // namespace bantam
