#include "models/architectures.h"
#include "models/blocks.h"

// Qwen 2 and 2.5 (Yang et al. 2024): Llama's blocks with biases of queries, keys and values.
// Qwen 3 (2025): no biases; queries and keys are normalised in each head.

namespace bantam {
namespace {

Heads biased_heads(Builder& b, const ModelConfig& c, Value x) {
  return project_heads(b, c, x, Bias::always);
}

Heads normalised_heads(Builder& b, const ModelConfig& c, Value x) {
  return normalise(b, c, project_heads(b, c, x));
}

using ProjectHeads = Heads (*)(Builder&, const ModelConfig&, Value);

Value attention(Builder& b, const ModelConfig& c, Value x, ProjectHeads project) {
  const Value h = b.rms_norm(x, b.name("attn_norm"), c.norm_eps);
  return attend(b, c, rotate(b, c, project(b, c, h)));
}

Value feed_forward(Builder& b, const ModelConfig& c, Value x) {
  return swiglu_feed_forward(b, c, b.rms_norm(x, b.name("ffn_norm"), c.norm_eps));
}

template <ProjectHeads project>
Value build(Builder& b, const ModelConfig& c) {
  Value x = b.embed("token_embd", c.vocab_size, c.embedding_length);
  for (int64_t block = 0; block < c.block_count; ++block) {
    b.block(block);
    x = ops::add(b.g, x, attention(b, c, x, project));
    x = ops::add(b.g, x, feed_forward(b, c, x));
  }
  return rms_norm_head(b, c, x);
}

}  // namespace

extern const Architecture qwen2_architecture{
    .name = "qwen2", .keys = decoder_keys, .build = build<biased_heads>};
extern const Architecture qwen3_architecture{
    .name = "qwen3", .keys = decoder_keys, .build = build<normalised_heads>};

}  // namespace bantam
