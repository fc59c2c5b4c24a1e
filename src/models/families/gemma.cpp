#include <cmath>

#include "models/architectures.h"
#include "models/blocks.h"

// Gemma (Gemma team 2024): embeddings scaled by the root of the width, a feed-forward gated by
// GELU. Gemma 2: what a block computes is normalised too, scores and logits are capped, every
// second block sees a window only. Gemma 3 (2025): queries and keys are normalised instead of
// capped, five of six blocks are windowed and turn by a base of their own. Norm weights are stored
// with 1 added.

namespace bantam {
namespace {

void keys(ConfigKeys& k, ModelConfig& c) {
  decoder_keys(k, c);
  k.number("attention.scale", c.attention_scale, 0);
}

void gemma2_keys(ConfigKeys& k, ModelConfig& c) {
  keys(k, c);
  window_keys(k, c, 4096, 2);
  k.number("attn_logit_softcapping", c.attention_softcap, 50);
  k.number("final_logit_softcapping", c.logit_softcap, 30);
}

void gemma3_keys(ConfigKeys& k, ModelConfig& c) {
  keys(k, c);
  window_keys(k, c, 0, 6);
  k.positive("rope.freq_base_swa", c.rope_theta_windowed, 10000);
  k.number("final_logit_softcapping", c.logit_softcap, 0);
}

// The 27 B models take the width of a head from the stream, not from the head.
ModelConfig with_scale(ModelConfig c, int64_t blocks_of_27b) {
  if (c.attention_scale == 0 && c.block_count == blocks_of_27b) {
    c.attention_scale =
        std::sqrt(static_cast<double>(c.head_count) / static_cast<double>(c.embedding_length));
  }
  return c;
}

Value embed(Builder& b, const ModelConfig& c) {
  const Value x = b.embed("token_embd", c.vocab_size, c.embedding_length);
  return ops::scale(b.g, x, std::sqrt(static_cast<double>(c.embedding_length)));
}

Heads heads_of(Builder& b, const ModelConfig& c, Value x) {
  return project_heads(b, c, b.rms_norm(x, b.name("attn_norm"), c.norm_eps));
}

Value feed_forward(Builder& b, const ModelConfig& c, Value x) {
  return geglu_feed_forward(b, c, b.rms_norm(x, b.name("ffn_norm"), c.norm_eps));
}

Value build_gemma(Builder& b, const ModelConfig& c) {
  Value x = embed(b, c);
  for (int64_t block = 0; block < c.block_count; ++block) {
    b.block(block);
    x = ops::add(b.g, x, attend(b, c, rotate(b, c, heads_of(b, c, x))));
    x = ops::add(b.g, x, feed_forward(b, c, x));
  }
  return rms_norm_head(b, c, x);
}

// Windowed blocks turn by their own base and are never stretched.
Heads rotate_by_kind(Builder& b, const ModelConfig& c, const Heads& heads) {
  ModelConfig own = c;
  if (c.windowed(b.block())) {
    own.rope_theta = c.rope_theta_windowed;
    own.rope_scaling = {};
  }
  return rotate(b, own, heads);
}

Heads heads_of_gemma2(Builder& b, const ModelConfig& c, Value x) {
  return rotate(b, c, heads_of(b, c, x));
}

Heads heads_of_gemma3(Builder& b, const ModelConfig& c, Value x) {
  return rotate_by_kind(b, c, normalise(b, c, heads_of(b, c, x)));
}

using HeadsOf = Heads (*)(Builder&, const ModelConfig&, Value);

template <HeadsOf heads, int64_t blocks_of_27b>
Value build_normed(Builder& b, const ModelConfig& config) {
  const ModelConfig c = with_scale(config, blocks_of_27b);
  Value x = embed(b, c);
  for (int64_t block = 0; block < c.block_count; ++block) {
    b.block(block);
    const Value mixed = attend(b, c, heads(b, c, x));
    x = ops::add(b.g, x, b.rms_norm(mixed, b.name("post_attention_norm"), c.norm_eps));
    const Value y = feed_forward(b, c, x);
    x = ops::add(b.g, x, b.rms_norm(y, b.name("post_ffw_norm"), c.norm_eps));
  }
  return ops::softcap(b.g, rms_norm_head(b, c, x), c.logit_softcap);
}

}  // namespace

extern const Architecture gemma_architecture{.name = "gemma", .keys = keys, .build = build_gemma};
extern const Architecture gemma2_architecture{
    .name = "gemma2", .keys = gemma2_keys, .build = build_normed<heads_of_gemma2, 46>};
extern const Architecture gemma3_architecture{
    .name = "gemma3", .keys = gemma3_keys, .build = build_normed<heads_of_gemma3, 62>};

}  // namespace bantam
