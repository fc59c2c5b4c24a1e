// Files as they were written before today's spellings, made here out of today's fixtures.

#include "models/old_spellings.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "formats/gguf_writer.h"

namespace bantam {
namespace {

std::string fixture(const std::string& name) {
  const char* root = std::getenv("BANTAM_SHARED");
  return fmt::format("{}/fixtures/architectures/{}.gguf",
                     root != nullptr ? root : BANTAM_SOURCE_DIR "/../shared", name);
}

#define NEED(path) \
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "missing " << path

// A copy of the file without the named keys and tensors.
GgufWriter copy_without(const GgufFile& file, const std::function<bool(std::string_view)>& left) {
  GgufWriter out;
  for (const auto& [key, value] : file.metadata())
    if (!left(key)) out.set(key, value);
  for (const GgufTensor& t : file.tensors())
    if (!left(t.name)) out.add_tensor(t.name, file.tensor(t.name));
  return out;
}

Model loaded(const GgufWriter& writer) {
  const auto bytes = std::make_shared<std::vector<std::byte>>(writer.bytes());
  return load_model(GgufFile::parse(*bytes, bytes, "old.gguf"), "old.gguf");
}

std::string error_of(const GgufWriter& writer) {
  try {
    static_cast<void>(loaded(writer));
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

void expect_same_weights(const Model& a, const Model& b) {
  ASSERT_EQ(a.weights.size(), b.weights.size());
  for (const auto& [name, t] : a.weights) {
    ASSERT_TRUE(b.weights.contains(name)) << name;
    const Tensor& other = b.weights.at(name);
    ASSERT_EQ(t.shape(), other.shape()) << name;
    ASSERT_EQ(t.dtype(), other.dtype()) << name;
    EXPECT_EQ(std::memcmp(t.data(), other.data(), static_cast<size_t>(t.bytes())), 0) << name;
  }
}

bool is_stack(std::string_view name) {
  return name.find("_exps.") != name.npos;
}

// One matrix for each expert, which may have a type of blocks.
void add_experts(const GgufFile& file, GgufWriter& out, DType type = DType::f32) {
  for (const GgufTensor& t : file.tensors()) {
    if (!is_stack(t.name)) continue;
    const Tensor all = file.tensor(t.name).to(type);
    const Shape one{all.shape()[1], all.shape()[2]};
    const std::string stem = t.name.substr(0, t.name.find("_exps."));
    for (int64_t e = 0; e < all.shape()[0]; ++e) {
      const auto bytes = all.bytes() / all.shape()[0];
      out.add_tensor(
          fmt::format("{}.{}.weight", stem, e),
          Tensor::wrap(type, one, all.as<std::byte>() + e * bytes, std::make_shared<Tensor>(all)));
    }
  }
}

TEST(OldSpellings, MatricesOfExpertsAreStacked) {
  const std::string path = fixture("mixtral");
  NEED(path);
  const GgufFile file = GgufFile::open(path);
  GgufWriter old = copy_without(file, is_stack);
  add_experts(file, old);
  expect_same_weights(load_model(path), loaded(old));
  GgufWriter blocks = copy_without(file, is_stack);
  add_experts(file, blocks, DType::q8_0);
  const Tensor expected = file.tensor("blk.1.ffn_down_exps.weight").to(DType::q8_0);
  const Model model = loaded(blocks);
  const Tensor& got = model.weights.at("blk.1.ffn_down_exps.weight");
  ASSERT_EQ(got.dtype(), DType::q8_0);
  EXPECT_EQ(std::memcmp(got.data(), expected.data(), static_cast<size_t>(got.bytes())), 0);
}

TEST(OldSpellings, AMissingOrDifferentExpertIsNamed) {
  const std::string path = fixture("mixtral");
  NEED(path);
  const GgufFile file = GgufFile::open(path);
  const auto all = [&] {
    GgufWriter old = copy_without(file, is_stack);
    add_experts(file, old);
    const auto bytes = std::make_shared<std::vector<std::byte>>(old.bytes());
    return GgufFile::parse(*bytes, bytes, "old.gguf");
  }();
  const std::string lost = "blk.0.ffn_up.1.weight";
  GgufWriter without = copy_without(all, [&](std::string_view name) { return name == lost; });
  EXPECT_NE(error_of(without).find(lost), std::string::npos) << error_of(without);
  without.add_tensor(lost, all.tensor(lost).to(DType::f16));
  EXPECT_NE(error_of(without).find(lost + "\": expected f32 of expert 0's shape, got f16"),
            std::string::npos)
      << error_of(without);
}

// The product with which W_k was stored as [H, R, D] is undone here.
void add_latent_projections(const GgufFile& file, const ModelConfig& c, GgufWriter& out) {
  const int64_t H = c.head_count, R = c.latent.rank, E = c.latent.value_size;
  const int64_t D = c.latent.key_size - c.rope_dims;
  for (int64_t block = 0; block < c.block_count; ++block) {
    const Tensor k = file.tensor(fmt::format("blk.{}.attn_k_b.weight", block));
    const Tensor v = file.tensor(fmt::format("blk.{}.attn_v_b.weight", block));
    std::vector<float> both;
    for (int64_t h = 0; h < H; ++h) {
      for (int64_t d = 0; d < D; ++d)
        for (int64_t r = 0; r < R; ++r) both.push_back(k.as<float>()[(h * R + r) * D + d]);
      const float* values = v.as<float>() + h * E * R;
      both.insert(both.end(), values, values + E * R);
    }
    out.add_tensor(fmt::format("blk.{}.attn_kv_b.weight", block),
                   Tensor::from(both, {H * (D + E), R}));
  }
}

TEST(OldSpellings, TheCommonProjectionOfKeysAndValuesIsTakenApart) {
  const std::string path = fixture("deepseek2-mla");
  NEED(path);
  const GgufFile file = GgufFile::open(path);
  const Model today = load_model(path);
  const ModelConfig& c = today.config;
  GgufWriter old = copy_without(file, [](std::string_view name) {
    return name.find("attn_k_b") != name.npos || name.find("attn_v_b") != name.npos ||
           name.ends_with("_length_mla") || name.find(".attention.key_length") != name.npos ||
           name.find(".attention.value_length") != name.npos;
  });
  old.set("deepseek2.attention.key_length", static_cast<uint32_t>(c.latent.key_size));
  old.set("deepseek2.attention.value_length", static_cast<uint32_t>(c.latent.value_size));
  old.set("deepseek2.attention.head_count_kv", static_cast<uint32_t>(c.head_count));
  EXPECT_NE(error_of(old).find("attn_k_b.weight"), std::string::npos);
  add_latent_projections(file, c, old);
  const Model model = loaded(old);
  EXPECT_EQ(model.config, c);
  expect_same_weights(today, model);
  old.set("deepseek2.attention.value_length", static_cast<uint32_t>(c.latent.value_size + 1));
  EXPECT_NE(error_of(old).find("blk.0.attn_kv_b.weight\": expected the shape"), std::string::npos)
      << error_of(old);
}

TEST(OldSpellings, RotaryKeysMayBeAbsent) {
  for (const char* name : {"phi3", "llama", "qwen2"}) {
    const std::string path = fixture(name);
    NEED(path);
    const GgufFile file = GgufFile::open(path);
    const Model today = load_model(path);
    const Model old = loaded(copy_without(file, [](std::string_view key) {
      return key.ends_with("rope.dimension_count") || key.ends_with(".key_length") ||
             key.ends_with(".value_length") || key.ends_with(".vocab_size");
    }));
    EXPECT_EQ(old.config.rope_dims, today.config.rope_dims) << name;
    EXPECT_EQ(old.config.head_size, today.config.head_size) << name;
    EXPECT_EQ(old.config.vocab_size, today.config.vocab_size) << name;
  }
}

TEST(OldSpellings, AVocabularyTellsItsPreTokenizer) {
  TokenizerSpec spec;
  spec.tokens = {"<|endoftext|>"};
  EXPECT_EQ(guess_pre_tokenizer(spec), "");
  spec.tokens = std::vector<std::string>(128256, "x");
  EXPECT_EQ(guess_pre_tokenizer(spec), "");
  spec.tokens.set(128000, "<|begin_of_text|>");
  EXPECT_EQ(guess_pre_tokenizer(spec), "llama-bpe");
  spec.tokens = std::vector<std::string>(151936, "x");
  spec.tokens.set(151644, "<|im_start|>");
  EXPECT_EQ(guess_pre_tokenizer(spec), "qwen2");
  spec.tokens = {"<｜begin▁of▁sentence｜>"};
  EXPECT_EQ(guess_pre_tokenizer(spec), "deepseek-coder");
  spec.tokens.resize(102400);
  EXPECT_EQ(guess_pre_tokenizer(spec), "deepseek-llm");
}

}  // namespace
}  // namespace bantam
