#include "models/architectures.h"
#include "models/blocks.h"
#include "models/experts.h"

// Phi-3.5-MoE (Abdin et al. 2024): biased projections, layer norm and LongRoPE. Chosen experts are
// weighted by their share of the softmax, as other GGUF runtimes do it; in training, sparse mixing
// (Liu et al. 2023) decided.

namespace bantam {
namespace {

void keys(ConfigKeys& k, ModelConfig& c) {
  decoder_keys(k, c);
  window_keys(k, c, 0, 0);
  expert_keys(k, c);
}

Value build(Builder& b, const ModelConfig& c) {
  Value x = b.embed("token_embd", c.vocab_size, c.embedding_length);
  for (int64_t block = 0; block < c.block_count; ++block) {
    b.block(block);
    const Value h = b.layer_norm(x, b.name("attn_norm"), c.norm_eps);
    x = ops::add(b.g, x, attend(b, c, rotate(b, c, project_heads(b, c, h))));
    const Value f = b.layer_norm(x, b.name("ffn_norm"), c.norm_eps);
    x = ops::add(b.g, x, mixture_of_experts(b, c, f, {}));
  }
  return layer_norm_head(b, c, x);
}

}  // namespace

extern const Architecture phimoe_architecture{.name = "phimoe", .keys = keys, .build = build};

}  // namespace bantam
