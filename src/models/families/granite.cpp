#include "models/architectures.h"
#include "models/blocks.h"
#include "models/experts.h"

// Granite 3 (IBM 2024): Llama with multipliers of the embedding, of attention scores, of what a
// block adds to the stream, and a divisor of the logits (after Yang et al. 2022, muP). Its mixtures
// have experts, and some of them one for all tokens, in place of each feed-forward.

namespace bantam {
namespace {

void keys(ConfigKeys& k, ModelConfig& c) {
  decoder_keys(k, c);
  k.number("embedding_scale", c.embedding_scale, 1);
  k.number("residual_scale", c.residual_scale, 1);
  k.number("attention.scale", c.attention_scale, 0);
  k.positive("logit_scale", c.logit_scale);
}

void mixture_keys(ConfigKeys& k, ModelConfig& c) {
  keys(k, c);
  expert_keys(k, c);
  k.size("expert_shared_feed_forward_length", c.experts.shared_feed_forward_length);
}

Value attention(Builder& b, const ModelConfig& c, Value x) {
  const Value h = b.rms_norm(x, b.name("attn_norm"), c.norm_eps);
  const Value y = attend(b, c, rotate(b, c, project_heads(b, c, h)));
  return ops::scale(b.g, y, c.residual_scale);
}

Value feed_forward(Builder& b, const ModelConfig& c, Value x) {
  const Value h = b.rms_norm(x, b.name("ffn_norm"), c.norm_eps);
  if (c.experts.count == 0) return ops::scale(b.g, swiglu_feed_forward(b, c, h), c.residual_scale);
  Value y = mixture_of_experts(b, c, h, {});
  if (const int64_t shared = c.experts.shared_feed_forward_length; shared > 0) {
    y = ops::add(b.g, y, shared_expert(b, c, h, shared));
  }
  return ops::scale(b.g, y, c.residual_scale);
}

Value build(Builder& b, const ModelConfig& c) {
  const Value embedded = b.embed("token_embd", c.vocab_size, c.embedding_length);
  Value x = ops::scale(b.g, embedded, c.embedding_scale);
  for (int64_t block = 0; block < c.block_count; ++block) {
    b.block(block);
    x = ops::add(b.g, x, attention(b, c, x));
    x = ops::add(b.g, x, feed_forward(b, c, x));
  }
  return ops::scale(b.g, rms_norm_head(b, c, x), 1 / c.logit_scale);
}

}  // namespace

extern const Architecture granite_architecture{
    .name = "granite", .rope_pairs = ops::RopePairs::interleaved, .keys = keys, .build = build};
extern const Architecture granitemoe_architecture{.name = "granitemoe",
                                                  .rope_pairs = ops::RopePairs::interleaved,
                                                  .keys = mixture_keys,
                                                  .build = build};

}  // namespace bantam
