#include "models/architectures.h"
#include "models/blocks.h"
#include "models/experts.h"

// Llama (Touvron et al. 2023): pre-norm blocks of grouped-query attention with rotary positions and
// a SwiGLU feed-forward. Also Llama 3 with its frequency factors, TinyLlama, SmolLM2, and Mistral
// 7B (Jiang et al. 2023), whose blocks see a window only. MobileLLM (Liu et al. 2024): each block's
// weights may serve several times in a row. MobiLlama (Thawakar et al. 2024): one feed-forward for
// all blocks. Mixtral (Jiang et al. 2024): a mixture of experts in place of each feed-forward.

namespace bantam {
namespace {

void llama_keys(ConfigKeys& k, ModelConfig& c) {
  decoder_keys(k, c);
  window_keys(k, c, 0, 0);
  expert_keys(k, c);
}

void mobilellm_keys(ConfigKeys& k, ModelConfig& c) {
  decoder_keys(k, c);
  k.count("block_repeat_count", c.block_repeats, 1);
}

Value attention(Builder& b, const ModelConfig& c, Value x) {
  const Value h = b.rms_norm(x, b.name("attn_norm"), c.norm_eps);
  return attend(b, c, rotate(b, c, project_heads(b, c, h)));
}

Value own_feed_forward(Builder& b, const ModelConfig& c, Value x) {
  const Value h = b.rms_norm(x, b.name("ffn_norm"), c.norm_eps);
  return c.experts.count > 0 ? mixture_of_experts(b, c, h, {}) : swiglu_feed_forward(b, c, h);
}

Value shared_feed_forward(Builder& b, const ModelConfig& c, Value x) {
  const Value h = b.rms_norm(x, b.name("ffn_norm"), c.norm_eps);
  const Value gate = b.linear(h, "ffn_gate", c.feed_forward_length);
  const Value up = b.linear(h, "ffn_up", c.feed_forward_length);
  return b.dropout(b.linear(ops::swiglu(b.g, gate, up), "ffn_down", c.embedding_length));
}

using FeedForward = Value (*)(Builder&, const ModelConfig&, Value);

template <FeedForward feed_forward>
Value build(Builder& b, const ModelConfig& c) {
  Value x = b.embed("token_embd", c.vocab_size, c.embedding_length);
  for (int64_t i = 0; i < c.block_count * c.block_repeats; ++i) {
    b.block(i / c.block_repeats, i % c.block_repeats);
    x = ops::add(b.g, x, attention(b, c, x));
    x = ops::add(b.g, x, feed_forward(b, c, x));
  }
  return rms_norm_head(b, c, x);
}

}  // namespace

extern const Architecture llama_architecture{.name = "llama",
                                             .rope_pairs = ops::RopePairs::interleaved,
                                             .keys = llama_keys,
                                             .build = build<own_feed_forward>};
extern const Architecture mobilellm_architecture{.name = "mobilellm",
                                                 .rope_pairs = ops::RopePairs::interleaved,
                                                 .keys = mobilellm_keys,
                                                 .build = build<own_feed_forward>};
extern const Architecture mobillama_architecture{.name = "mobillama",
                                                 .rope_pairs = ops::RopePairs::interleaved,
                                                 .keys = decoder_keys,
                                                 .build = build<shared_feed_forward>};

}  // namespace bantam
