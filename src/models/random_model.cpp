#include "models/random_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/random.h"

namespace bantam {
namespace {

// Rows, columns and heads as in the published configurations; contexts are cut to 8192.
ModelConfig llama(int64_t vocabulary, int64_t width, int64_t layers, int64_t feed_forward,
                  int64_t heads, int64_t kv_heads, int64_t context, double theta, bool tied) {
  ModelConfig c;
  c.vocab_size = vocabulary;
  c.embedding_length = width;
  c.block_count = layers;
  c.feed_forward_length = feed_forward;
  c.head_count = heads;
  c.head_count_kv = kv_heads;
  c.head_size = c.rope_dims = width / heads;
  c.context_length = context;
  c.rope_theta = theta;
  c.tied_embeddings = tied;
  return c;
}

ModelConfig qwen(std::string_view architecture, int64_t width, int64_t layers, int64_t feed_forward,
                 int64_t heads, int64_t kv_heads, bool tied) {
  ModelConfig c = llama(151936, width, layers, feed_forward, heads, kv_heads, 8192, 1e6, tied);
  c.architecture = architecture;
  c.norm_eps = 1e-6;
  c.rope_pairs = ops::RopePairs::halves;
  if (architecture == "qwen3") c.head_size = c.rope_dims = 128;
  return c;
}

ModelConfig gemma3(int64_t width, int64_t layers, int64_t feed_forward) {
  ModelConfig c = llama(262144, width, layers, feed_forward, 4, 1, 8192, 1e6, true);
  c.architecture = "gemma3";
  c.norm_eps = 1e-6;
  c.rope_pairs = ops::RopePairs::halves;
  c.head_size = c.rope_dims = 256;
  c.window = 512;
  c.window_period = 6;
  return c;
}

ModelConfig granite_moe(int64_t width, int64_t layers, int64_t expert, int64_t heads,
                        int64_t experts, int64_t used) {
  ModelConfig c = llama(49155, width, layers, expert, heads, 8, 8192, 1e4, true);
  c.architecture = "granitemoe";
  c.norm_eps = 1e-6;
  c.embedding_scale = 12;
  c.residual_scale = 0.22;
  c.attention_scale = 1.0 / static_cast<double>(c.head_size);
  c.logit_scale = 6;
  c.experts.count = experts;
  c.experts.used = used;
  c.experts.feed_forward_length = expert;
  return c;
}

ModelConfig t5(int64_t width, int64_t blocks, int64_t feed_forward, int64_t heads, bool flan) {
  ModelConfig c;
  c.architecture = "t5";
  c.vocab_size = 32128;
  c.embedding_length = width;
  c.block_count = c.decoder_block_count = blocks;
  c.feed_forward_length = feed_forward;
  c.head_count = c.head_count_kv = heads;
  c.head_size = c.value_size = 64;
  c.context_length = 512;
  c.norm_eps = 1e-6;
  c.relative_buckets = 32;
  c.gated_feed_forward = flan;
  c.tied_embeddings = !flan;
  return c;
}

const std::vector<KnownShape>& shapes() {
  static const std::vector<KnownShape> kShapes = {
      {"stories15m", llama(32000, 288, 6, 768, 6, 6, 1024, 1e4, true)},
      {"stories110m", llama(32000, 768, 12, 2048, 12, 12, 1024, 1e4, true)},
      {"smollm2-135m", llama(49152, 576, 30, 1536, 9, 3, 8192, 1e5, true)},
      {"smollm2-360m", llama(49152, 960, 32, 2560, 15, 5, 8192, 1e5, true)},
      {"tinyllama-1.1b", llama(32000, 2048, 22, 5632, 32, 4, 2048, 1e4, false)},
      {"llama-3.2-1b", llama(128256, 2048, 16, 8192, 32, 8, 8192, 5e5, true)},
      {"smollm2-1.7b", llama(49152, 2048, 24, 8192, 32, 32, 8192, 1.3e5, true)},
      {"qwen2.5-0.5b", qwen("qwen2", 896, 24, 4864, 14, 2, true)},
      {"qwen2.5-1.5b", qwen("qwen2", 1536, 28, 8960, 12, 2, true)},
      {"qwen2.5-3b", qwen("qwen2", 2048, 36, 11008, 16, 2, true)},
      {"qwen3-0.6b", qwen("qwen3", 1024, 28, 3072, 16, 8, true)},
      {"qwen3-1.7b", qwen("qwen3", 2048, 28, 6144, 16, 8, true)},
      {"qwen3-4b", qwen("qwen3", 2560, 36, 9728, 32, 8, true)},
      {"gemma-3-270m", gemma3(640, 18, 2048)},
      {"gemma-3-1b", gemma3(1152, 26, 6912)},
      {"granite-3.1-1b-a400m", granite_moe(1024, 24, 512, 16, 32, 8)},
      {"granite-3.1-3b-a800m", granite_moe(1536, 32, 512, 24, 40, 8)},
      {"t5-small", t5(512, 6, 2048, 8, false)},
      {"flan-t5-small", t5(512, 8, 1024, 6, true)},
      {"flan-t5-base", t5(768, 12, 2048, 12, true)},
      {"llama-3.2-3b", llama(128256, 3072, 28, 8192, 24, 8, 8192, 5e5, true)},
  };
  return kShapes;
}

constexpr int64_t kRows = 61;  // distinct rows of a matrix

// [..., columns], for instance of experts.
Tensor matrix(const Shape& shape, DType type, Random& random) {
  const int64_t columns = shape[-1], all_rows = shape.elements() / columns;
  const int64_t rows = std::min(kRows, all_rows);
  const float deviation = 1 / std::sqrt(static_cast<float>(columns));
  Tensor some = Tensor::zeros(DType::f32, {rows, columns});
  for (int64_t i = 0; i < rows * columns; ++i) some.as<float>()[i] = deviation * random.normal();
  const Tensor stored = some.to(type);
  Tensor all = Tensor::zeros(type, shape);
  const auto bytes = static_cast<size_t>(row_bytes(type, columns));
  for (int64_t r = 0; r < all_rows; ++r) {
    std::memcpy(all.as<std::byte>() + static_cast<size_t>(r) * bytes,
                stored.as<std::byte>() + static_cast<size_t>(r % rows) * bytes, bytes);
  }
  return all;
}

TokenizerSpec made_up_tokenizer(int64_t vocabulary) {
  TokenizerSpec spec;
  spec.model = "llama";
  spec.tokens = {"<unk>", "<s>", "</s>"};
  spec.types = {TokenType::unknown, TokenType::control, TokenType::control};
  for (int i = 0; i < 256; ++i) {
    spec.tokens.push_back(fmt::format("<0x{:02X}>", i));
    spec.types.push_back(TokenType::byte);
  }
  while (static_cast<int64_t>(spec.tokens.size()) < vocabulary) {
    spec.tokens.push_back(fmt::format("word{}", spec.tokens.size()));
    spec.types.push_back(TokenType::normal);
  }
  spec.scores.assign(spec.tokens.size(), -1e6f);
  spec.unk = 0;
  spec.bos = 1;
  spec.eos = 2;
  spec.add_bos = true;
  return spec;
}

}  // namespace

std::span<const KnownShape> known_shapes() {
  return shapes();
}

const ModelConfig& known_shape(std::string_view name) {
  std::string known;
  for (const KnownShape& shape : shapes()) {
    if (shape.name == name) return shape.config;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", shape.name);
  }
  fail(ErrorKind::usage, "--like", "expected one of {}, got \"{}\"", known, name);
}

Model random_model(const ModelConfig& config,
                   const std::function<DType(const WeightShape&)>& type_of, uint64_t seed) {
  check_config(config, "random model");
  Model model;
  model.config = config;
  uint64_t stream = 0;
  for (const WeightShape& w : required_weights(config)) {
    Random random(seed, ++stream);
    if (w.shape.rank() == 1) {
      Tensor ones = Tensor::zeros(DType::f32, w.shape);
      std::fill_n(ones.as<float>(), w.shape.elements(), 1.0f);
      model.weights[w.name] = ones;
    } else {
      const DType type = w.f32_only ? DType::f32 : type_of(w);
      model.weights[w.name] = matrix(w.shape, type, random);
    }
  }
  if (config.vocab_size >= 3 + 256) {
    TokenizerSpec spec = made_up_tokenizer(config.vocab_size);
    if (config.reads_source()) std::swap(spec.add_bos, spec.add_eos);
    model.tokenizer = make_tokenizer(std::move(spec));
  }
  return model;
}

}  // namespace bantam
