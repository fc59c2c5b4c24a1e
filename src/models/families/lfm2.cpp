#include "models/architectures.h"
#include "models/blocks.h"
#include "models/experts.h"

// LFM2 (Liquid AI 2025): short gated convolutions with an attention block now and then. Its larger
// models have a mixture of experts in all but the first blocks; a bias that only ranks the experts
// keeps them evenly used.

namespace bantam {
namespace {

void keys(ConfigKeys& k, ModelConfig& c) {
  decoder_keys(k, c);
  k.count("shortconv.l_cache", c.short_conv);
  k.expect(c.short_conv >= 2 && c.short_conv <= 32, "shortconv.l_cache", "2 to 32", c.short_conv);
}

void mixture_keys(ConfigKeys& k, ModelConfig& c) {
  keys(k, c);
  k.size("leading_dense_block_count", c.experts.leading_dense_blocks);
  expert_keys(k, c);
  routing_keys(k, c);
}

// y = C conv(B x)
Value short_conv(Builder& b, const ModelConfig& c, Value x) {
  Graph& g = b.g;
  const int64_t C = c.embedding_length;
  const Value projected = b.linear(x, b.name("shortconv.in_proj"), 3 * C);
  const Value before = ops::slice_columns(g, projected, 0, C);
  const Value after = ops::slice_columns(g, projected, C, C);
  const Value u = ops::mul(g, before, ops::slice_columns(g, projected, 2 * C, C));
  const Value y = b.causal_conv(u, b.name("shortconv.conv"), c.short_conv, Bias::where_present);
  return b.dropout(b.linear(ops::mul(g, y, after), b.name("shortconv.out_proj"), C));
}

Value mixer(Builder& b, const ModelConfig& c, Value x) {
  const Value h = b.rms_norm(x, b.name("attn_norm"), c.norm_eps);
  if (c.heads_kv(b.block()) == 0) return short_conv(b, c, h);
  return attend(b, c, rotate(b, c, normalise(b, c, project_heads(b, c, h))));
}

Value feed_forward(Builder& b, const ModelConfig& c, Value x) {
  const Value h = b.rms_norm(x, b.name("ffn_norm"), c.norm_eps);
  const Experts& e = c.experts;
  if (e.count == 0 || b.block() < e.leading_dense_blocks) return swiglu_feed_forward(b, c, h);
  return mixture_of_experts(b, c, h,
                            {e.sigmoid_gate ? Routing::Gate::sigmoid : Routing::Gate::softmax});
}

Value build(Builder& b, const ModelConfig& c) {
  Value x = b.embed("token_embd", c.vocab_size, c.embedding_length);
  for (int64_t block = 0; block < c.block_count; ++block) {
    b.block(block);
    x = ops::add(b.g, x, mixer(b, c, x));
    x = ops::add(b.g, x, feed_forward(b, c, x));
  }
  // Files name the last norm after the table that it once followed.
  x = b.rms_norm(x, b.has("output_norm.weight") ? "output_norm" : "token_embd_norm", c.norm_eps);
  return b.head(x, c.tied_embeddings ? "token_embd" : "output", c.vocab_size);
}

}  // namespace

extern const Architecture lfm2_architecture{.name = "lfm2", .keys = keys, .build = build};
extern const Architecture lfm2moe_architecture{
    .name = "lfm2moe", .keys = mixture_keys, .build = build};

}  // namespace bantam
