// Real vocabularies against the token ids that llama.cpp's own tests expect of them.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/file.h"
#include "text/llama2c_tokenizer.h"
#include "text/tokenizer.h"

namespace bantam {
namespace {

std::string shared(const std::string& name) {
  const char* root = std::getenv("BANTAM_SHARED");
  return std::string(root != nullptr ? root : BANTAM_SOURCE_DIR "/../shared") + "/data/" + name;
}

#define BANTAM_NEEDS(path) \
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "missing " << (path)

std::vector<std::string> read_inputs(const std::string& path) {
  const std::string separator = "\n__ggml_vocab_test__\n";
  const std::string text = read_text_file(path);
  std::vector<std::string> inputs;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(separator, begin), text.size());
    inputs.push_back(text.substr(begin, end - begin));
    begin = end + separator.size();
  }
  return inputs;
}

std::vector<std::vector<int32_t>> read_ids(const std::string& path) {
  std::vector<std::vector<int32_t>> lines;
  std::istringstream text(read_text_file(path));
  for (std::string line; std::getline(text, line);) {
    std::istringstream numbers(line);
    lines.emplace_back(std::istream_iterator<int32_t>(numbers), std::istream_iterator<int32_t>());
  }
  return lines;
}

void expect_agreement(const Tokenizer& tokenizer, const std::string& name) {
  const auto inputs = read_inputs(shared("tokenizers/gguf/" + name + ".gguf.inp"));
  const auto expected = read_ids(shared("tokenizers/gguf/" + name + ".gguf.out"));
  ASSERT_EQ(inputs.size(), expected.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    const auto ids = tokenizer.encode(inputs[i], {.special = false});
    EXPECT_EQ(ids, expected[i]) << inputs[i];
    EXPECT_EQ(tokenizer.decode(ids), inputs[i]);
  }
}

// A vocab.json and merges.txt as Hugging Face publishes them.
TokenizerSpec read_vocab_and_merges(const std::string& folder, const std::string& pre) {
  TokenizerSpec spec;
  spec.model = "gpt2";
  spec.pre = pre;
  const auto vocabulary = nlohmann::json::parse(read_text_file(shared(folder + "/vocab.json.zst")));
  std::vector<std::string> tokens;
  for (const auto& [token, id] : vocabulary.items()) {
    const auto i = id.get<size_t>();
    if (i >= tokens.size()) tokens.resize(i + 1);
    tokens[i] = token;
  }
  spec.tokens = tokens;
  spec.types.assign(spec.tokens.size(), TokenType::normal);
  for (size_t i = 0; i < spec.tokens.size(); ++i) {
    if (spec.tokens[i].starts_with("<|")) spec.types[i] = TokenType::control;
  }
  std::istringstream merges(read_text_file(shared(folder + "/merges.txt.zst")));
  for (std::string line; std::getline(merges, line);) {
    if (!line.empty() && !line.starts_with("#version")) spec.merges.push_back(line);
  }
  return spec;
}

TEST(RealVocabularies, Gpt2EncodesAsExpected) {
  BANTAM_NEEDS(shared("tokenizers/gpt2/vocab.json.zst"));
  const auto tokenizer = make_tokenizer(read_vocab_and_merges("tokenizers/gpt2", "gpt-2"));
  expect_agreement(*tokenizer, "ggml-vocab-gpt-2");
}

TEST(RealVocabularies, Qwen2EncodesAsExpected) {
  BANTAM_NEEDS(shared("tokenizers/qwen2.5/vocab.json.zst"));
  const auto tokenizer = make_tokenizer(read_vocab_and_merges("tokenizers/qwen2.5", "qwen2"));
  expect_agreement(*tokenizer, "ggml-vocab-qwen2");
}

TEST(RealVocabularies, Llama2EncodesAsExpected) {
  const std::string path = shared("tokenizers/llama2/tokenizer.bin");
  BANTAM_NEEDS(path);
  const auto tokenizer = make_tokenizer(read_llama2c_tokenizer(path, 32000));
  expect_agreement(*tokenizer, "ggml-vocab-llama-spm");
}

TEST(RealVocabularies, Stories260KDecodesItsReferenceOutput) {
  BANTAM_NEEDS(shared("weights/stories260K/tok512.bin"));
  const auto tokenizer =
      make_tokenizer(read_llama2c_tokenizer(shared("weights/stories260K/tok512.bin"), 512));
  std::vector<int32_t> ids;
  for (const auto& line : read_ids(shared("weights/stories260K/expected-greedy-200.ids"))) {
    ids.insert(ids.end(), line.begin(), line.end());
  }
  const std::string text = read_text_file(shared("weights/stories260K/expected-greedy-200.txt"));
  const std::string decoded = tokenizer->decode(ids);
  ASSERT_FALSE(decoded.empty());
  EXPECT_EQ(text.substr(0, decoded.size()), decoded);
}

}  // namespace
}  // namespace bantam
