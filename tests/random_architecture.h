#pragma once

// Small models of every architecture, with random weights and shapes of the test's choice.

#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <string>
#include <vector>

#include "base/random.h"
#include "models/architectures.h"

namespace bantam::test {

struct Sizes {
  int64_t blocks = 2, width = 32, heads = 4, heads_kv = 4, head = 8, rotary = 4, vocabulary = 67,
          feed_forward = 45, expert_feed_forward = 19;
};

inline bool is_encoder(const Architecture& a) {
  return a.name == "bert" || a.name == "t5encoder";
}

// Their tests are in t5_test.cpp: a text alone is not what they take.
inline bool reads_source(const Architecture& a) {
  return a.name == "t5";
}

inline bool is_one_of(const Architecture& a, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), a.name) != names.end();
}

// What mixtures of experts, state spaces and hybrids have besides.
inline void add_parts(const Architecture& a, const Sizes& s, ModelConfig& c) {
  if (is_one_of(a, {"granitemoe", "olmoe", "qwen2moe", "qwen3moe", "phimoe", "gpt-oss", "deepseek2",
                    "granitehybrid", "lfm2moe"})) {
    c.experts.count = 6;
    c.experts.used = 2;
    c.experts.feed_forward_length = s.expert_feed_forward;
    c.experts.shared = 1;
    c.experts.shared_feed_forward_length = s.expert_feed_forward + 2;
    c.experts.leading_dense_blocks = 1;
  }
  c.ssm.conv_kernel = 4;
  c.ssm.inner_size = 24;
  c.ssm.state_size = 5;
  c.ssm.time_step_rank = 4;
  c.ssm.group_count = 2;
  c.short_conv = 3;
  c.latent.query_rank = 12;
  c.latent.rank = 10;
  c.latent.key_size = s.rotary + 5;
  c.latent.value_size = 7;
  if (is_one_of(a, {"jamba", "granitehybrid", "lfm2", "lfm2moe"}) && s.blocks > 1) {
    for (int64_t block = 0; block < s.blocks; ++block)
      c.head_counts_kv.push_back(block % 2 == 0 ? 0 : s.heads_kv);
  }
}

inline ModelConfig config_of(const Architecture& a, const Sizes& s) {
  ModelConfig c;
  c.architecture = a.name;
  c.context_length = 40;
  c.embedding_length = s.width;
  c.block_count = s.blocks;
  c.feed_forward_length = s.feed_forward;
  c.head_count = s.heads;
  c.head_count_kv = s.heads_kv;
  c.head_size = s.head;
  c.rope_dims = s.rotary;
  c.rope_pairs = a.rope_pairs;
  c.vocab_size = s.vocabulary;
  c.attention_softcap = 20;
  c.logit_softcap = 15;
  c.relative_buckets = 8;
  if (reads_source(a)) c.decoder_block_count = 3;
  if (is_encoder(a)) {
    c.causal = false;
    c.token_types = 2;
  } else {
    c.window = 5;
    c.window_period = 2;
  }
  add_parts(a, s, c);
  return c;
}

inline Model model_with(const ModelConfig& config) {
  Model model;
  model.name = "random";
  model.config = config;
  uint64_t stream = 0;
  for (const WeightShape& w : required_weights(config)) {
    Random random(7, ++stream);
    Tensor t = Tensor::zeros(DType::f32, w.shape);
    const bool norm = w.shape.rank() == 1 && w.name.ends_with(".weight");
    for (int64_t i = 0; i < w.shape.elements(); ++i)
      t.as<float>()[i] = (norm ? 1.0f : 0.0f) + 0.3f * random.normal();
    model.weights[w.name] = t;
  }
  return model;
}

// Those that foretell text from text alone. Encoders take it as a whole, encoder-decoders need a
// source.
inline std::vector<const Architecture*> decoders() {
  std::vector<const Architecture*> list;
  for (const Architecture* a : architectures())
    if (!is_encoder(*a) && !reads_source(*a)) list.push_back(a);
  return list;
}

inline std::string name_of(const testing::TestParamInfo<const Architecture*>& row) {
  std::string name(row.param->name);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

}  // namespace bantam::test
