#include "models/architectures.h"
#include "models/blocks.h"
#include "models/state_space.h"

// Mamba (Gu & Dao 2023) and Mamba-2 (Dao & Gu 2024): blocks of nothing but a selective state space.
// Also Falcon Mamba, which normalises the step size, B and C.

namespace bantam {
namespace {

void size_and_norm_keys(ConfigKeys& k, ModelConfig& c) {
  k.count("context_length", c.context_length);
  k.count("embedding_length", c.embedding_length);
  k.count("block_count", c.block_count);
  rms_norm_keys(k, c);
}

void first_keys(ConfigKeys& k, ModelConfig& c) {
  size_and_norm_keys(k, c);
  mamba_keys(k, c);
  k.flag("ssm.dt_b_c_rms", c.ssm.norm_scan, false);
}

void second_keys(ConfigKeys& k, ModelConfig& c) {
  size_and_norm_keys(k, c);
  mamba2_keys(k, c);
}

using Mixer = Value (*)(Builder& b, const ModelConfig& c, Value x);

Value build(Builder& b, const ModelConfig& c, Mixer mixer) {
  Value x = b.embed("token_embd", c.vocab_size, c.embedding_length);
  for (int64_t block = 0; block < c.block_count; ++block) {
    b.block(block);
    x = ops::add(b.g, x, mixer(b, c, b.rms_norm(x, b.name("attn_norm"), c.norm_eps)));
  }
  return rms_norm_head(b, c, x);
}

Value build_first(Builder& b, const ModelConfig& c) {
  return build(b, c, [](Builder& builder, const ModelConfig& config, Value x) {
    return mamba(builder, config, x, config.ssm.norm_scan ? ScanNorm::plain : ScanNorm::none);
  });
}

Value build_second(Builder& b, const ModelConfig& c) {
  return build(b, c, [](Builder& builder, const ModelConfig& config, Value x) {
    return mamba2(builder, config, x);
  });
}

}  // namespace

extern const Architecture mamba_architecture{
    .name = "mamba", .keys = first_keys, .build = build_first};
extern const Architecture mamba2_architecture{
    .name = "mamba2", .keys = second_keys, .build = build_second};

}  // namespace bantam
