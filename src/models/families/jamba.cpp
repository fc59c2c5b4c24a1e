#include "models/architectures.h"
#include "models/blocks.h"
#include "models/experts.h"
#include "models/state_space.h"

// Jamba (Lieber et al. 2024): Mamba blocks with an attention block now and then, without positions,
// and a mixture of experts in place of some feed-forwards.

namespace bantam {
namespace {

void keys(ConfigKeys& k, ModelConfig& c) {
  size_keys(k, c);
  head_keys(k, c);
  rms_norm_keys(k, c);
  mamba_keys(k, c);
  expert_keys(k, c);
}

Value mixer(Builder& b, const ModelConfig& c, Value x) {
  const Value h = b.rms_norm(x, b.name("attn_norm"), c.norm_eps);
  if (c.heads_kv(b.block()) == 0) return mamba(b, c, h, ScanNorm::weighted);
  return attend(b, c, project_heads(b, c, h));
}

Value feed_forward(Builder& b, const ModelConfig& c, Value x) {
  const Value h = b.rms_norm(x, b.name("ffn_norm"), c.norm_eps);
  if (!b.has(b.name("ffn_gate_inp.weight"))) return swiglu_feed_forward(b, c, h);
  return mixture_of_experts(b, c, h, {.renormalise = false});
}

Value build(Builder& b, const ModelConfig& c) {
  Value x = b.embed("token_embd", c.vocab_size, c.embedding_length);
  for (int64_t block = 0; block < c.block_count; ++block) {
    b.block(block);
    x = ops::add(b.g, x, mixer(b, c, x));
    x = ops::add(b.g, x, feed_forward(b, c, x));
  }
  return rms_norm_head(b, c, x);
}

}  // namespace

extern const Architecture jamba_architecture{.name = "jamba", .keys = keys, .build = build};

}  // namespace bantam
