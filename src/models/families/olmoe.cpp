#include "base/error.h"
#include "models/architectures.h"
#include "models/blocks.h"
#include "models/experts.h"

// OLMoE (Muennighoff et al. 2024): queries and keys are normalised over all heads at once; the
// weights of the chosen experts stay as the softmax over all gave them.

namespace bantam {
namespace {

void keys(ConfigKeys& k, ModelConfig& c) {
  decoder_keys(k, c);
  expert_keys(k, c);
}

Value normalised(Builder& b, const ModelConfig& c, Value x, const char* part, int64_t heads) {
  const Value projected = b.linear(x, b.name(part), heads * c.head_size);
  const Value y = b.rms_norm(projected, fmt::format("{}_norm", b.name(part)), c.norm_eps);
  return b.rope(b.heads(y, heads), b.rope_options(c));
}

Value attention(Builder& b, const ModelConfig& c, Value x) {
  const Value h = b.rms_norm(x, b.name("attn_norm"), c.norm_eps);
  const Value v = b.linear(h, b.name("attn_v"), c.head_count_kv * c.head_size);
  return attend(b, c,
                {normalised(b, c, h, "attn_q", c.head_count),
                 normalised(b, c, h, "attn_k", c.head_count_kv), b.heads(v, c.head_count_kv)});
}

Value feed_forward(Builder& b, const ModelConfig& c, Value x) {
  const Value h = b.rms_norm(x, b.name("ffn_norm"), c.norm_eps);
  return mixture_of_experts(b, c, h, {.renormalise = false});
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

extern const Architecture olmoe_architecture{.name = "olmoe", .keys = keys, .build = build};

}  // namespace bantam
