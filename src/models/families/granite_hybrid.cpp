#include "models/architectures.h"
#include "models/blocks.h"
#include "models/experts.h"
#include "models/state_space.h"

// Granite 4 hybrid (IBM 2025): Mamba-2 blocks with an attention block now and then, a feed-forward
// or a mixture of experts beside a shared one, and the multipliers of Granite 3.

namespace bantam {
namespace {

void keys(ConfigKeys& k, ModelConfig& c) {
  decoder_keys(k, c);
  mamba2_keys(k, c);
  expert_keys(k, c);
  k.size("expert_shared_feed_forward_length", c.experts.shared_feed_forward_length);
  k.flag("rope.scaling.finetuned", c.uses_rope, true);
  k.number("embedding_scale", c.embedding_scale, 1);
  k.number("residual_scale", c.residual_scale, 1);
  k.number("attention.scale", c.attention_scale, 0);
  k.positive("logit_scale", c.logit_scale, 1);
}

Value mixer(Builder& b, const ModelConfig& c, Value x) {
  const Value h = b.rms_norm(x, b.name("attn_norm"), c.norm_eps);
  if (c.heads_kv(b.block()) == 0) return mamba2(b, c, h);
  const Heads heads = project_heads(b, c, h);
  return attend(b, c, c.uses_rope ? rotate(b, c, heads) : heads);
}

Value feed_forward(Builder& b, const ModelConfig& c, Value x) {
  const Value h = b.rms_norm(x, b.name("ffn_norm"), c.norm_eps);
  if (c.experts.count == 0) return swiglu_feed_forward(b, c, h);
  const Value y = mixture_of_experts(b, c, h, {});
  const int64_t shared = c.experts.shared_feed_forward_length;
  return shared == 0 ? y : ops::add(b.g, y, shared_expert(b, c, h, shared));
}

Value build(Builder& b, const ModelConfig& c) {
  const Value embedded = b.embed("token_embd", c.vocab_size, c.embedding_length);
  Value x = ops::scale(b.g, embedded, c.embedding_scale);
  for (int64_t block = 0; block < c.block_count; ++block) {
    b.block(block);
    x = ops::add(b.g, x, ops::scale(b.g, mixer(b, c, x), c.residual_scale));
    x = ops::add(b.g, x, ops::scale(b.g, feed_forward(b, c, x), c.residual_scale));
  }
  return ops::scale(b.g, rms_norm_head(b, c, x), 1 / c.logit_scale);
}

}  // namespace

extern const Architecture granitehybrid_architecture{.name = "granitehybrid",
                                                     .rope_pairs = ops::RopePairs::interleaved,
                                                     .keys = keys,
                                                     .build = build};

}  // namespace bantam
