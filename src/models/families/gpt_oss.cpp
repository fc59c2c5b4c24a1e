#include <cmath>
#include <limits>

#include "models/architectures.h"
#include "models/blocks.h"
#include "models/experts.h"

// gpt-oss (OpenAI 2025): every other block looks at a window only; each head can put attention on a
// sink instead of a token; experts with biases and a clamped gate.

namespace bantam {
namespace {

void keys(ConfigKeys& k, ModelConfig& c) {
  decoder_keys(k, c);
  window_keys(k, c, 0, 2);
  expert_keys(k, c);
}

Value attention(Builder& b, const ModelConfig& c, Value x) {
  const Value h = b.rms_norm(x, b.name("attn_norm"), c.norm_eps);
  const Heads heads = rotate(b, c, project_heads(b, c, h, Bias::always));
  ops::AttentionOptions options;
  options.scale = 1 / std::sqrt(static_cast<double>(c.head_size));
  options.sinks = b.parameter(b.name("attn_sinks.weight"), {c.heads(b.block())});
  if (c.windowed(b.block())) options.window = c.window;
  const Value mixed = b.attention(heads.q, heads.k, heads.v, options);
  return b.dropout(b.linear(mixed, b.name("attn_output"), c.embedding_length, Bias::always));
}

// (up + 1) gate sigmoid(1.702 gate) of clamped values
Value clamped_swiglu(Graph& g, Value gate, Value up) {
  constexpr double kLimit = 7, kSlope = 1.702;
  gate = ops::clamp(g, ops::cast(g, gate, DType::f32), -std::numeric_limits<double>::infinity(),
                    kLimit);
  up = ops::clamp(g, ops::cast(g, up, DType::f32), -kLimit, kLimit);
  const Value swish = ops::mul(g, gate, ops::sigmoid(g, ops::scale(g, gate, kSlope)));
  return ops::mul(g, swish, ops::shift(g, up, 1));
}

Value feed_forward(Builder& b, const ModelConfig& c, Value x) {
  const Value h = b.rms_norm(x, b.name("post_attention_norm"), c.norm_eps);
  return mixture_of_experts(b, c, h, {.gate = Routing::Gate::softmax_chosen}, clamped_swiglu,
                            Bias::always);
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

extern const Architecture gpt_oss_architecture{.name = "gpt-oss", .keys = keys, .build = build};

}  // namespace bantam
