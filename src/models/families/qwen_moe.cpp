#include "models/architectures.h"
#include "models/blocks.h"
#include "models/experts.h"

// Qwen 1.5 and 2 with a mixture of experts (Yang et al. 2024): biased queries, keys and values, and
// an expert that every row goes to, behind a gate of its own. Qwen 3 (Yang et al. 2025) has
// neither, but normalises queries and keys and the weights of the chosen experts.

namespace bantam {
namespace {

void keys(ConfigKeys& k, ModelConfig& c) {
  decoder_keys(k, c);
  expert_keys(k, c);
}

void shared_keys(ConfigKeys& k, ModelConfig& c) {
  keys(k, c);
  k.size("expert_shared_feed_forward_length", c.experts.shared_feed_forward_length,
         c.feed_forward_length);
}

Value attention2(Builder& b, const ModelConfig& c, Value x) {
  const Value h = b.rms_norm(x, b.name("attn_norm"), c.norm_eps);
  return attend(b, c, rotate(b, c, project_heads(b, c, h, Bias::always)));
}

Value attention3(Builder& b, const ModelConfig& c, Value x) {
  const Value h = b.rms_norm(x, b.name("attn_norm"), c.norm_eps);
  return attend(b, c, rotate(b, c, normalise(b, c, project_heads(b, c, h))));
}

// sigmoid(w x) of each row scales what the shared expert gives.
Value gated_shared_expert(Builder& b, const ModelConfig& c, Value x) {
  Graph& g = b.g;
  const Value w = b.parameter(b.name("ffn_gate_inp_shexp.weight"), {c.embedding_length});
  const Value gate = ops::sigmoid(g, ops::row_sum(g, ops::mul(g, ops::cast(g, x, DType::f32), w)));
  const Value y = shared_expert(b, c, x, c.experts.shared_feed_forward_length);
  return ops::mul_rows(g, ops::cast(g, y, DType::f32), gate);
}

Value build2(Builder& b, const ModelConfig& c) {
  Value x = b.embed("token_embd", c.vocab_size, c.embedding_length);
  for (int64_t block = 0; block < c.block_count; ++block) {
    b.block(block);
    x = ops::add(b.g, x, attention2(b, c, x));
    const Value h = b.rms_norm(x, b.name("ffn_norm"), c.norm_eps);
    x = ops::add(b.g, x, mixture_of_experts(b, c, h, {.renormalise = false}));
    x = ops::add(b.g, x, gated_shared_expert(b, c, h));
  }
  return rms_norm_head(b, c, x);
}

Value build3(Builder& b, const ModelConfig& c) {
  Value x = b.embed("token_embd", c.vocab_size, c.embedding_length);
  for (int64_t block = 0; block < c.block_count; ++block) {
    b.block(block);
    x = ops::add(b.g, x, attention3(b, c, x));
    const Value h = b.rms_norm(x, b.name("ffn_norm"), c.norm_eps);
    x = ops::add(b.g, x, mixture_of_experts(b, c, h, {}));
  }
  return rms_norm_head(b, c, x);
}

}  // namespace

extern const Architecture qwen2moe_architecture{
    .name = "qwen2moe", .keys = shared_keys, .build = build2};
extern const Architecture qwen3moe_architecture{.name = "qwen3moe", .keys = keys, .build = build3};

}  // namespace bantam
