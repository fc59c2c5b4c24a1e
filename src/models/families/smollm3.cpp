#include "models/architectures.h"
#include "models/blocks.h"

// SmolLM3 (Hugging Face 2025): Llama whose every fourth block has no positions (Yang et al. 2025,
// "Rope to Nope").

namespace bantam {
namespace {

constexpr int64_t kPeriod = 4;

Value attention(Builder& b, const ModelConfig& c, Value x) {
  const Value h = b.rms_norm(x, b.name("attn_norm"), c.norm_eps);
  const Heads heads = project_heads(b, c, h);
  const bool rotated = (b.block() + 1) % kPeriod != 0;
  return attend(b, c, rotated ? rotate(b, c, heads) : heads);
}

Value feed_forward(Builder& b, const ModelConfig& c, Value x) {
  return swiglu_feed_forward(b, c, b.rms_norm(x, b.name("ffn_norm"), c.norm_eps));
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

extern const Architecture smollm3_architecture{.name = "smollm3",
                                               .rope_pairs = ops::RopePairs::interleaved,
                                               .keys = decoder_keys,
                                               .build = build};

}  // namespace bantam
