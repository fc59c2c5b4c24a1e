#include "models/architectures.h"
#include "models/blocks.h"

// BERT (Devlin et al. 2019), DistilBERT and the sentence embedders built on them (BGE, MiniLM):
// every token sees the whole text; what a block has added to the stream is normalised. The result
// is the stream itself.

namespace bantam {
namespace {

void keys(ConfigKeys& k, ModelConfig& c) {
  size_keys(k, c);
  head_keys(k, c);
  layer_norm_keys(k, c);
  c.causal = false;
  int64_t pooling = static_cast<int64_t>(c.pooling);
  k.size("pooling_type", pooling);
  k.expect(pooling <= static_cast<int64_t>(Pooling::last), "pooling_type",
           "0 (none), 1 (mean), 2 (first token) or 3 (last token)", pooling);
  c.pooling = static_cast<Pooling>(pooling);
}

Value embed(Builder& b, const ModelConfig& c) {
  const int64_t C = c.embedding_length;
  Value x = b.embed("token_embd", c.vocab_size, C);
  if (c.token_types > 0) {  // all text is of the first kind
    const Value types = b.parameter("token_types.weight", {c.token_types, C});
    const Value row = ops::reshape(b.g, types, {1, c.token_types * C});
    x = ops::add(b.g, x, ops::reshape(b.g, ops::slice_columns(b.g, row, 0, C), {C}));
  }
  x = ops::add(b.g, x, b.embed_positions("position_embd", c.context_length, C));
  return b.layer_norm(x, "token_embd_norm", c.norm_eps);
}

Value build(Builder& b, const ModelConfig& c) {
  Value x = embed(b, c);
  for (int64_t block = 0; block < c.block_count; ++block) {
    b.block(block);
    const Value mixed = attend(b, c, project_heads(b, c, x, Bias::always), Bias::always);
    x = b.layer_norm(ops::add(b.g, x, mixed), b.name("attn_output_norm"), c.norm_eps);
    const Value y = feed_forward(b, c, x, ops::gelu_erf, Bias::always);
    x = b.layer_norm(ops::add(b.g, x, y), b.name("layer_output_norm"), c.norm_eps);
  }
  return b.wanted_rows(x);
}

}  // namespace

extern const Architecture bert_architecture{.name = "bert", .keys = keys, .build = build};

}  // namespace bantam
