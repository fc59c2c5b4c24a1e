#pragma once

#include "base/random.h"
#include "models/architectures.h"

namespace bantam {

// Odd sizes: heads that are not the width, more decoder blocks than encoder blocks.
inline ModelConfig tiny_t5_config(bool flan) {
  ModelConfig c;
  c.architecture = "t5";
  c.context_length = 40;
  c.embedding_length = 30;
  c.block_count = 2;
  c.decoder_block_count = 3;
  c.feed_forward_length = 41;
  c.head_count = c.head_count_kv = 3;
  c.head_size = c.value_size = 7;
  c.vocab_size = 23;
  c.relative_buckets = flan ? 11 : 8;
  c.decoder_start_token = 2;
  c.gated_feed_forward = flan;
  c.tied_embeddings = !flan;
  c.norm_eps = 1e-6f;  // files hold floats
  return c;
}

// A model of these numbers with random weights, without a tokenizer.
inline Model filled_model(const ModelConfig& config, uint64_t seed = 5) {
  Model model;
  model.name = "tiny";
  model.config = config;
  uint64_t stream = 0;
  for (const WeightShape& w : required_weights(config)) {
    Random random(seed, ++stream);
    Tensor t = Tensor::zeros(DType::f32, w.shape);
    const bool norm = w.shape.rank() == 1;
    const float deviation = w.name.ends_with("rel_b.weight") ? 1.0f : 0.25f;
    for (int64_t i = 0; i < w.shape.elements(); ++i)
      t.as<float>()[i] = (norm ? 1.0f : 0.0f) + deviation * random.normal();
    model.weights[w.name] = t;
  }
  return model;
}

}  // namespace bantam
