#include "models/blocks.h"

#include <cmath>

namespace bantam {

Heads project_heads(Builder& b, const ModelConfig& c, Value x, Bias bias) {
  const int64_t H = c.heads(b.block()), K = c.heads_kv(b.block());
  return {b.heads(b.linear(x, b.name("attn_q"), H * c.head_size, bias), H),
          b.heads(b.linear(x, b.name("attn_k"), K * c.head_size, bias), K),
          b.heads(b.linear(x, b.name("attn_v"), K * c.head_size, bias), K)};
}

Heads normalise(Builder& b, const ModelConfig& c, Heads heads) {
  return {b.rms_norm(heads.q, b.name("attn_q_norm"), c.norm_eps),
          b.rms_norm(heads.k, b.name("attn_k_norm"), c.norm_eps), heads.v};
}

Heads rotate(Builder& b, const ModelConfig& c, Heads heads) {
  return {b.rope(heads.q, c), b.rope(heads.k, c), heads.v};
}

Value attend(Builder& b, const ModelConfig& c, const Heads& heads) {
  const double scale =
      c.attention_scale != 0 ? c.attention_scale : 1 / std::sqrt(static_cast<double>(c.head_size));
  const Value mixed = b.attention(heads.q, heads.k, heads.v, scale);
  return b.dropout(b.linear(mixed, b.name("attn_output"), c.embedding_length));
}

Value swiglu_feed_forward(Builder& b, const ModelConfig& c, Value x) {
  const int64_t F = c.feed_forward(b.block());
  const Value gate = b.linear(x, b.name("ffn_gate"), F);
  const Value up = b.linear(x, b.name("ffn_up"), F);
  return b.dropout(b.linear(ops::swiglu(b.g, gate, up), b.name("ffn_down"), c.embedding_length));
}

Value rms_norm_head(Builder& b, const ModelConfig& c, Value x) {
  x = b.rms_norm(x, "output_norm", c.norm_eps);
  return b.head(x, c.tied_embeddings ? "token_embd" : "output", c.vocab_size);
}

}  // namespace bantam
