#include "models/llama.h"

#include <cmath>

namespace bantam {
namespace {

Value attention(Builder& b, const ModelConfig& c, Value x, int64_t block) {
  const auto name = [&](const char* part) { return block_name(block, part); };
  const Value h = b.rms_norm(x, name("attn_norm"), c.rms_norm_eps);
  const Value q = b.heads(b.linear(h, name("attn_q"), c.head_count * c.head_size), c.head_count);
  const Value k =
      b.heads(b.linear(h, name("attn_k"), c.head_count_kv * c.head_size), c.head_count_kv);
  const Value v =
      b.heads(b.linear(h, name("attn_v"), c.head_count_kv * c.head_size), c.head_count_kv);
  const double scale = 1 / std::sqrt(static_cast<double>(c.head_size));
  const Value mixed = b.attention(b.rope(q, c), b.rope(k, c), v, scale);
  return b.dropout(b.linear(mixed, name("attn_output"), c.embedding_length));
}

Value feed_forward(Builder& b, const ModelConfig& c, Value x, int64_t block) {
  const auto name = [&](const char* part) { return block_name(block, part); };
  const Value h = b.rms_norm(x, name("ffn_norm"), c.rms_norm_eps);
  const Value gate = b.linear(h, name("ffn_gate"), c.feed_forward_length);
  const Value up = b.linear(h, name("ffn_up"), c.feed_forward_length);
  return b.dropout(b.linear(ops::swiglu(b.g, gate, up), name("ffn_down"), c.embedding_length));
}

}  // namespace

Value build_llama(Builder& b, const ModelConfig& c) {
  Value x = b.embed("token_embd", c.vocab_size, c.embedding_length);
  for (int64_t block = 0; block < c.block_count; ++block) {
    b.block(block);
    x = ops::add(b.g, x, attention(b, c, x, block));
    x = ops::add(b.g, x, feed_forward(b, c, x, block));
  }
  x = b.rms_norm(x, "output_norm", c.rms_norm_eps);
  return b.head(x, c.tied_embeddings ? "token_embd" : "output", c.vocab_size);
}

}  // namespace bantam
