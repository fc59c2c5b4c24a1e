#include "models/architectures.h"
#include "models/blocks.h"
#include "models/state_space.h"

// Falcon-H1 (TII 2025): attention and Mamba-2 side by side on the same input in every block. The
// multipliers of its training are already part of the weights.

namespace bantam {
namespace {

void keys(ConfigKeys& k, ModelConfig& c) {
  decoder_keys(k, c);
  mamba2_keys(k, c);
}

Value mixers(Builder& b, const ModelConfig& c, Value x) {
  const Value h = b.rms_norm(x, b.name("attn_norm"), c.norm_eps);
  const Value seen = attend(b, c, rotate(b, c, project_heads(b, c, h)));
  return ops::add(b.g, seen, mamba2(b, c, h, b.has(b.name("ssm_norm.weight"))));
}

Value feed_forward(Builder& b, const ModelConfig& c, Value x) {
  return swiglu_feed_forward(b, c, b.rms_norm(x, b.name("ffn_norm"), c.norm_eps));
}

Value build(Builder& b, const ModelConfig& c) {
  Value x = b.embed("token_embd", c.vocab_size, c.embedding_length);
  for (int64_t block = 0; block < c.block_count; ++block) {
    b.block(block);
    x = ops::add(b.g, x, mixers(b, c, x));
    x = ops::add(b.g, x, feed_forward(b, c, x));
  }
  return rms_norm_head(b, c, x);
}

}  // namespace

extern const Architecture falcon_h1_architecture{.name = "falcon-h1", .keys = keys, .build = build};

}  // namespace bantam
