#include "models/old_spellings.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "models/builder.h"
#include "tensor/layout.h"

namespace bantam {
namespace {

// "blk.3.ffn_gate.7.weight" -> "blk.3.ffn_gate_exps.weight"; nothing for other names.
std::optional<std::string> stacked_name(std::string_view name) {
  constexpr std::string_view kEnd = ".weight";
  if (!name.starts_with("blk.") || !name.ends_with(kEnd)) return std::nullopt;
  name.remove_suffix(kEnd.size());
  const size_t dot = name.rfind('.');
  const std::string_view expert = name.substr(dot + 1), stem = name.substr(0, dot);
  const bool number =
      !expert.empty() && std::ranges::all_of(expert, [](char c) { return c >= '0' && c <= '9'; });
  if (!number) return std::nullopt;
  for (const std::string_view part : {".ffn_gate", ".ffn_up", ".ffn_down"})
    if (stem.ends_with(part)) return fmt::format("{}_exps{}", stem, kEnd);
  return std::nullopt;
}

Tensor take(Weights& weights, const std::string& name, std::string_view where) {
  const auto found = weights.find(name);
  if (found == weights.end()) {
    fail(ErrorKind::model, where, "expected a tensor \"{}\", got none", name);
  }
  Tensor t = deinterleave(found->second);
  weights.erase(found);
  return t;
}

Tensor stack(Weights& weights, const std::string& stem, int64_t count, std::string_view where) {
  Tensor all;
  for (int64_t e = 0; e < count; ++e) {
    const std::string name = fmt::format("{}.{}.weight", stem, e);
    const Tensor t = take(weights, name, where);
    if (e == 0) {
      if (t.shape().rank() != 2) {
        fail(ErrorKind::model, where, "tensor \"{}\": expected a matrix, got the shape {}", name,
             t.shape().str());
      }
      all = Tensor::zeros(t.dtype(), {count, t.shape()[0], t.shape()[1]});
    }
    if (t.bytes() * count != all.bytes() || t.dtype() != all.dtype() ||
        t.shape()[-1] != all.shape()[-1]) {
      fail(ErrorKind::model, where, "tensor \"{}\": expected {} of expert 0's shape, got {} {}",
           name, dtype_info(all.dtype()).name, dtype_info(t.dtype()).name, t.shape().str());
    }
    std::memcpy(all.as<std::byte>() + e * t.bytes(), t.data(), static_cast<size_t>(t.bytes()));
  }
  return all;
}

void stack_experts(const ModelConfig& config, std::string_view where, Weights& weights) {
  std::vector<std::string> stacks;
  for (const auto& [name, unused] : weights) {
    const std::optional<std::string> stacked = stacked_name(name);
    if (stacked && (stacks.empty() || stacks.back() != *stacked)) stacks.push_back(*stacked);
  }
  for (const std::string& name : stacks) {
    const std::string stem = name.substr(0, name.size() - std::string_view("_exps.weight").size());
    weights[name] = stack(weights, stem, config.experts.count, where);
  }
}

// Rows [first, first + count) of each head of t [H, rows, K].
Tensor rows_of_heads(const Tensor& t, int64_t first, int64_t count) {
  const int64_t H = t.shape()[0], rows = t.shape()[1];
  const int64_t row = t.bytes() / (H * rows);
  Tensor out = Tensor::zeros(t.dtype(), {H, count, t.shape()[2]});
  for (int64_t h = 0; h < H; ++h) {
    std::memcpy(out.as<std::byte>() + h * count * row, t.as<std::byte>() + (h * rows + first) * row,
                static_cast<size_t>(count * row));
  }
  return out;
}

// [H, rows, K] -> [H, K, rows], in f32.
Tensor transposed_heads(const Tensor& t) {
  const int64_t H = t.shape()[0], rows = t.shape()[1], K = t.shape()[2];
  const Tensor source = t.to(DType::f32);
  Tensor out = Tensor::zeros(DType::f32, {H, K, rows});
  for (int64_t h = 0; h < H; ++h)
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t k = 0; k < K; ++k)
        out.as<float>()[(h * K + k) * rows + r] = source.as<float>()[(h * rows + r) * K + k];
  return out;
}

}  // namespace

void check_latent_projection(const LatentSizes& sizes, const Tensor& kv_b, std::string_view name,
                             std::string_view where) {
  const Shape expected{sizes.heads * (sizes.key + sizes.value), sizes.rank};
  if (kv_b.shape() == expected) return;
  fail(ErrorKind::model, where, "tensor \"{}\": expected the shape {}, got {}", name,
       expected.str(), kv_b.shape().str());
}

LatentProjections split_latent_projection(const LatentSizes& sizes, const Tensor& kv_b) {
  const Tensor heads = kv_b.reshaped({sizes.heads, sizes.key + sizes.value, sizes.rank});
  // Blocks of a quantised type run along rows, which the transposition breaks up.
  const bool plain = dtype_info(kv_b.dtype()).block_length == 1;
  const Tensor keys = transposed_heads(rows_of_heads(heads, 0, sizes.key));
  return {keys.to(plain ? kv_b.dtype() : DType::f16), rows_of_heads(heads, sizes.key, sizes.value)};
}

void modernise(const ModelConfig& config, std::string_view where, Weights& weights) {
  stack_experts(config, where, weights);
  if (config.latent.rank == 0) return;
  for (int64_t block = 0; block < config.block_count; ++block) {
    const std::string name = block_name(block, "attn_kv_b.weight");
    if (!weights.contains(name)) continue;
    const Tensor both = take(weights, name, where);
    const LatentAttention& l = config.latent;
    const LatentSizes sizes{config.head_count, l.rank, l.key_size - config.rope_dims, l.value_size};
    check_latent_projection(sizes, both, name, where);
    LatentProjections parts = split_latent_projection(sizes, both);
    weights[block_name(block, "attn_k_b.weight")] = std::move(parts.keys);
    weights[block_name(block, "attn_v_b.weight")] = std::move(parts.values);
  }
}

std::string_view guess_pre_tokenizer(const TokenizerSpec& spec) {
  const auto has = [&](std::string_view token) {
    return std::ranges::find(spec.tokens, token) != spec.tokens.end();
  };
  const size_t size = spec.tokens.size();
  if (size >= 128000 && has("<|begin_of_text|>")) return "llama-bpe";
  if (size >= 151643 && has("<|im_start|>")) return "qwen2";
  if (has("<\uFF5Cbegin\u2581of\u2581sentence\uFF5C>"))
    return size >= 100000 ? "deepseek-llm" : "deepseek-coder";
  return {};
}

}  // namespace bantam
