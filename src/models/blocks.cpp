#include "models/blocks.h"

#include <cmath>

namespace bantam {
namespace {

std::string_view head_name(const ModelConfig& c) {
  return c.tied_embeddings ? "token_embd" : "output";
}

}  // namespace

int64_t value_size(const ModelConfig& c) {
  return c.value_size > 0 ? c.value_size : c.head_size;
}

Heads project_heads(Builder& b, const ModelConfig& c, Value x, Bias bias) {
  if (b.has(b.name("attn_qkv.weight"))) return project_fused_heads(b, c, x, bias);
  const int64_t H = c.heads(b.block()), K = c.heads_kv(b.block());
  return {b.heads(b.linear(x, b.name("attn_q"), H * c.head_size, bias), H),
          b.heads(b.linear(x, b.name("attn_k"), K * c.head_size, bias), K),
          b.heads(b.linear(x, b.name("attn_v"), K * value_size(c), bias), K)};
}

Heads project_fused_heads(Builder& b, const ModelConfig& c, Value x, Bias bias) {
  const int64_t H = c.heads(b.block()), K = c.heads_kv(b.block());
  const int64_t q = H * c.head_size, k = K * c.head_size, v = K * value_size(c);
  const Value all = b.linear(x, b.name("attn_qkv"), q + k + v, bias);
  return {b.heads(ops::slice_columns(b.g, all, 0, q), H),
          b.heads(ops::slice_columns(b.g, all, q, k), K),
          b.heads(ops::slice_columns(b.g, all, q + k, v), K)};
}

Heads normalise(Builder& b, const ModelConfig& c, const Heads& heads) {
  return {b.rms_norm(heads.q, b.name("attn_q_norm"), c.norm_eps),
          b.rms_norm(heads.k, b.name("attn_k_norm"), c.norm_eps), heads.v};
}

Heads rotate(Builder& b, const ModelConfig& c, const Heads& heads) {
  const ops::RopeOptions options = b.rope_options(c);
  return {b.rope(heads.q, options), b.rope(heads.k, options), heads.v};
}

Value attend(Builder& b, const ModelConfig& c, const Heads& heads, Bias bias) {
  ops::AttentionOptions o;
  o.scale =
      c.attention_scale != 0 ? c.attention_scale : 1 / std::sqrt(static_cast<double>(c.head_size));
  o.softcap = c.attention_softcap;
  o.causal = c.causal;
  if (c.windowed(b.block())) o.window = c.window;
  const Value mixed = b.attention(heads.q, heads.k, heads.v, o);
  return b.dropout(b.linear(mixed, b.name("attn_output"), c.embedding_length, bias));
}

Value swiglu_feed_forward(Builder& b, const ModelConfig& c, Value x) {
  const int64_t F = c.feed_forward(b.block());
  const Value gate = b.linear(x, b.name("ffn_gate"), F);
  const Value up = b.linear(x, b.name("ffn_up"), F);
  return b.dropout(b.linear(ops::swiglu(b.g, gate, up), b.name("ffn_down"), c.embedding_length));
}

Value geglu_feed_forward(Builder& b, const ModelConfig& c, Value x) {
  const int64_t F = c.feed_forward(b.block());
  const Value gate = ops::gelu(b.g, b.linear(x, b.name("ffn_gate"), F));
  const Value mixed = ops::mul(b.g, gate, b.linear(x, b.name("ffn_up"), F));
  return b.dropout(b.linear(mixed, b.name("ffn_down"), c.embedding_length));
}

Value feed_forward(Builder& b, const ModelConfig& c, Value x, Activation activation, Bias bias) {
  const Value up = b.linear(x, b.name("ffn_up"), c.feed_forward(b.block()), bias);
  return b.dropout(b.linear(activation(b.g, up), b.name("ffn_down"), c.embedding_length, bias));
}

Value rms_norm_head(Builder& b, const ModelConfig& c, Value x) {
  return b.head(b.rms_norm(x, "output_norm", c.norm_eps), head_name(c), c.vocab_size);
}

Value layer_norm_head(Builder& b, const ModelConfig& c, Value x) {
  return b.head(b.layer_norm(x, "output_norm", c.norm_eps), head_name(c), c.vocab_size);
}

}  // namespace bantam
