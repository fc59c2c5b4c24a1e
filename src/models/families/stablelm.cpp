#include "models/architectures.h"
#include "models/blocks.h"

// StableLM and StableLM 2 (Bellagamba et al. 2024): Llama's blocks with layer normalisation and a
// partial rotation. The 12 B model normalises queries and keys, each head with weights of its own,
// and has attention and feed-forward read the same normalised stream.

namespace bantam {
namespace {

void keys(ConfigKeys& k, ModelConfig& c) {
  size_keys(k, c);
  head_keys(k, c);
  layer_norm_keys(k, c);
  rope_keys(k, c);
  k.flag("use_parallel_residual", c.parallel_residual, true);
}

// Layer normalisation of heads [N, H, D] with weights [H, D].
Value normalise_heads(Builder& b, const ModelConfig& c, Value x, const std::string& name) {
  if (!b.has(name)) return x;
  const SymShape& s = b.g.shape(x);
  const double D = static_cast<double>(s[2].factor);
  const Value centred = ops::add_rows(b.g, x, ops::scale(b.g, ops::row_sum(b.g, x), -1 / D));
  const Value squares = ops::row_sum(b.g, ops::mul(b.g, centred, centred));
  const Value r = ops::rsqrt(b.g, ops::shift(b.g, ops::scale(b.g, squares, 1 / D), c.norm_eps));
  const Value weight = b.parameter(name, {s[1], s[2]});
  return ops::mul(b.g, ops::mul_rows(b.g, centred, r), weight);
}

Value attention(Builder& b, const ModelConfig& c, Value h) {
  Heads heads = project_heads(b, c, h);
  heads.q = normalise_heads(b, c, heads.q, b.name("attn_q_norm.weight"));
  heads.k = normalise_heads(b, c, heads.k, b.name("attn_k_norm.weight"));
  return attend(b, c, rotate(b, c, heads));
}

Value build(Builder& b, const ModelConfig& c) {
  Value x = b.embed("token_embd", c.vocab_size, c.embedding_length);
  for (int64_t block = 0; block < c.block_count; ++block) {
    b.block(block);
    const Value h = b.layer_norm(x, b.name("attn_norm"), c.norm_eps);
    x = ops::add(b.g, x, attention(b, c, h));
    // Files say that the residual is parallel also where it is not: a second norm tells.
    const bool parallel = c.parallel_residual && b.has(b.name("attn_norm.weight")) &&
                          !b.has(b.name("ffn_norm.weight"));
    const Value read = parallel ? h : b.layer_norm(x, b.name("ffn_norm"), c.norm_eps);
    x = ops::add(b.g, x, swiglu_feed_forward(b, c, read));
  }
  return layer_norm_head(b, c, x);
}

}  // namespace

extern const Architecture stablelm_architecture{.name = "stablelm", .keys = keys, .build = build};

}  // namespace bantam
