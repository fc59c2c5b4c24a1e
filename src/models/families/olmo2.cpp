#include "models/architectures.h"
#include "models/blocks.h"

// OLMo 2 (OLMo team 2025): what a block computes is normalised, not what it reads; queries and keys
// are normalised over all heads together.

namespace bantam {
namespace {

Heads project(Builder& b, const ModelConfig& c, Value x) {
  const int64_t H = c.heads(b.block()), K = c.heads_kv(b.block()), D = c.head_size;
  const Value q = b.linear(x, b.name("attn_q"), H * D);
  const Value k = b.linear(x, b.name("attn_k"), K * D);
  return {b.heads(b.rms_norm(q, b.name("attn_q_norm"), c.norm_eps), H),
          b.heads(b.rms_norm(k, b.name("attn_k_norm"), c.norm_eps), K),
          b.heads(b.linear(x, b.name("attn_v"), K * D), K)};
}

Value attention(Builder& b, const ModelConfig& c, Value x) {
  const Value y = attend(b, c, rotate(b, c, project(b, c, x)));
  return b.rms_norm(y, b.name("post_attention_norm"), c.norm_eps);
}

Value feed_forward(Builder& b, const ModelConfig& c, Value x) {
  return b.rms_norm(swiglu_feed_forward(b, c, x), b.name("post_ffw_norm"), c.norm_eps);
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

extern const Architecture olmo2_architecture{.name = "olmo2", .keys = decoder_keys, .build = build};

}  // namespace bantam
