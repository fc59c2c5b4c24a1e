#pragma once

#include <memory>

#include "base/random.h"
#include "models/architectures.h"
#include "tensor/random_blocks.h"

namespace bantam {

inline ModelConfig tiny_config() {
  ModelConfig c;
  c.context_length = 128;
  c.embedding_length = 256;
  c.block_count = 2;
  c.feed_forward_length = 512;
  c.head_count = 4;
  c.head_count_kv = 2;
  c.head_size = 64;
  c.rope_dims = 64;
  c.vocab_size = 301;
  return c;
}

// Random weights; matrices in the given type, of any blocks if Bantam cannot write it. No
// tokenizer.
inline std::shared_ptr<const Model> tiny_model(DType dtype, uint64_t seed = 1,
                                               const ModelConfig& config = tiny_config()) {
  auto model = std::make_shared<Model>();
  model->name = "tiny";
  model->config = config;
  uint64_t stream = 0;
  for (const WeightShape& w : required_weights(model->config)) {
    Random random(seed, ++stream);
    Tensor t = Tensor::zeros(DType::f32, w.shape);
    const bool vector = w.shape.rank() == 1;
    if (!vector && dtype_info(dtype).from_float == nullptr) {
      model->weights[w.name] = random_blocks(dtype, w.shape, stream, 0.001f);
      continue;
    }
    for (int64_t i = 0; i < w.shape.elements(); ++i) {
      t.as<float>()[i] = vector ? 1 + 0.1f * random.normal() : 0.08f * random.normal();
    }
    model->weights[w.name] = vector ? t : t.to(dtype);
  }
  return model;
}

// Llama's kind or Mamba's, two blocks.
inline ModelConfig tiny_decoder_config(const char* architecture) {
  ModelConfig c;
  c.architecture = architecture;
  c.context_length = 24;
  c.embedding_length = 16;
  c.block_count = 2;
  c.feed_forward_length = 24;
  c.head_count = c.head_count_kv = 2;
  c.head_size = c.rope_dims = 8;
  c.ssm = {.conv_kernel = 4, .inner_size = 24, .state_size = 5, .time_step_rank = 4};
  return c;
}

}  // namespace bantam
