#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tensor/tensor.h"

namespace bantam {

// The header of a llama2.c model file.
struct Llama2cConfig {
  int64_t dim = 0;         // C
  int64_t hidden_dim = 0;  // F
  int64_t n_layers = 0;    // L
  int64_t n_heads = 0;     // H
  int64_t n_kv_heads = 0;  // K
  int64_t vocab_size = 0;  // V
  int64_t seq_len = 0;     // the longest context in training
  bool shared_classifier = true;

  [[nodiscard]] int64_t kv_dim() const { return dim / n_heads * n_kv_heads; }
  bool operator==(const Llama2cConfig&) const = default;
};

// A model of https://github.com/karpathy/llama2.c (export.py, versions 0 "legacy" and 1: float32).
// RoPE turns neighbouring pairs, theta is 10000 and the norms' epsilon 1e-5: what GGUF calls the
// architecture "llama", so that the tensors need no permutation.
struct Llama2cModel {
  Llama2cConfig config;
  // Float32, read-only views of the file that share ownership of it, under GGUF's names and in
  // GGUF's usual order: token_embd.weight [V, C], per layer blk.N. {attn_norm.weight [C],
  // attn_q.weight [C, C], attn_k.weight and attn_v.weight [kv_dim, C], attn_output.weight [C, C],
  // ffn_norm.weight [C], ffn_gate.weight and ffn_up.weight [F, C], ffn_down.weight [C, F]},
  // output_norm.weight [C] and, where the classifier is not shared, output.weight [V, C].
  std::vector<std::pair<std::string, Tensor>> tensors;
};

// Reads either version. Every size is checked against the file's length; what does not fit gives
// one Error of kind `format` that names the file.
Llama2cModel read_llama2c(const std::string& path);
// From memory kept alive by `owner` that starts at a multiple of 4 bytes; `name` is for messages.
Llama2cModel parse_llama2c(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                           const std::string& name);

}  // namespace bantam
