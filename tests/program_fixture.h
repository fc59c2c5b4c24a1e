#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "base/random.h"
#include "byte_tokenizer.h"
#include "models/architectures.h"
#include "models/model.h"
#include "program.h"

#ifdef BANTAM_PROGRAM
namespace bantam::test {

// Normally distributed weights, and bytes as tokens.
inline Model random_model(const ModelConfig& config) {
  Model model;
  model.name = "tiny";
  model.config = config;
  Random random(5);
  for (const WeightShape& w : required_weights(model.config)) {
    Tensor t = Tensor::zeros(DType::f32, w.shape);
    for (int64_t i = 0; i < w.shape.elements(); ++i) t.as<float>()[i] = random.normal();
    model.weights[w.name] = t;
  }
  model.tokenizer = make_tokenizer(byte_tokenizer());
  return model;
}

inline ModelConfig tiny_llama() {
  return {.context_length = 24,
          .embedding_length = 32,
          .block_count = 1,
          .feed_forward_length = 64,
          .head_count = 2,
          .head_count_kv = 1,
          .head_size = 16,
          .vocab_size = kByteVocabulary,
          .rope_dims = 16};
}

// A folder of its own with a small model in it.
class Program : public testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::path(testing::TempDir()) / ("bantam_cli_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
    model_ = path("tiny.gguf");
    save_model(random_model(tiny_llama()), model_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  [[nodiscard]] std::string path(const std::string& name) const { return folder_ / name; }

  std::filesystem::path folder_;
  std::string model_;
};

}  // namespace bantam::test

#endif
