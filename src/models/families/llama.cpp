#include "models/architectures.h"
#include "models/blocks.h"

// Llama (Touvron et al. 2023): pre-norm blocks of grouped-query attention with rotary positions and
// a SwiGLU feed-forward. Also Llama 3 with its frequency factors, TinyLlama and SmolLM2.

namespace bantam {
namespace {

Value attention(Builder& b, const ModelConfig& c, Value x) {
  const Value h = b.rms_norm(x, b.name("attn_norm"), c.norm_eps);
  return attend(b, c, rotate(b, c, project_heads(b, c, h)));
}

Value feed_forward(Builder& b, const ModelConfig& c, Value x) {
  return swiglu_feed_forward(b, c, b.rms_norm(x, b.name("ffn_norm"), c.norm_eps));
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

extern const Architecture llama_architecture{.name = "llama",
                                             .rope_pairs = ops::RopePairs::interleaved,
                                             .keys = decoder_keys,
                                             .build = build};

}  // namespace bantam
