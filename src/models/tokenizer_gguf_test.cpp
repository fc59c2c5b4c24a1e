// Vocabularies of published GGUF files against the token ids that their makers expect.

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "formats/gguf_writer.h"
#include "models/model.h"

namespace bantam {
namespace {

std::string vocabulary(const std::string& name) {
  const char* root = std::getenv("BANTAM_SHARED");
  return fmt::format("{}/data/tokenizers/gguf/ggml-vocab-{}.gguf",
                     root != nullptr ? root : BANTAM_SOURCE_DIR "/../shared", name);
}

TokenizerSpec read_vocabulary(const std::string& path) {
  const std::string bytes = read_text_file(path);
  auto words = std::make_shared<std::vector<uint64_t>>((bytes.size() + 7) / 8);
  std::memcpy(words->data(), bytes.data(), bytes.size());
  const auto* begin = reinterpret_cast<const std::byte*>(words->data());
  return read_tokenizer(GgufFile::parse({begin, bytes.size()}, words, path));
}

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

class GgufVocabulary : public testing::TestWithParam<const char*> {};

TEST_P(GgufVocabulary, EncodesAsItsMakersExpect) {
  const std::string path = vocabulary(GetParam());
  if (!std::filesystem::exists(path + ".zst")) GTEST_SKIP() << "missing " << path;
  const auto tokenizer = make_tokenizer(read_vocabulary(path + ".zst"), path);
  const auto inputs = read_inputs(path + ".inp");
  std::istringstream lines(read_text_file(path + ".out"));
  size_t i = 0;
  for (std::string line; std::getline(lines, line); ++i) {
    std::istringstream numbers(line);
    const std::vector<int32_t> expected{std::istream_iterator<int32_t>(numbers),
                                        std::istream_iterator<int32_t>()};
    ASSERT_LT(i, inputs.size());
    const auto ids = tokenizer->encode(inputs[i], {.special = false, .parse_special = false});
    EXPECT_EQ(ids, expected) << "[" << inputs[i] << "]";
    const bool reversible = tokenizer->spec().model != "bert";
    if (reversible) {
      EXPECT_EQ(tokenizer->decode(ids), inputs[i]);
    }
  }
  EXPECT_EQ(i, inputs.size());
}

INSTANTIATE_TEST_SUITE_P(All, GgufVocabulary,
                         testing::Values("bert-bge", "deepseek-coder", "deepseek-llm", "gpt-2",
                                         "llama-spm", "phi-3"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::erase(name, '-');
                           return name;
                         });

TEST(TokenizerGguf, EveryFieldSurvivesTheFile) {
  TokenizerSpec spec;
  spec.model = "t5";
  spec.pre = "default";
  spec.tokens = {"<unk>", "\u2581a", "<x>"};
  spec.scores = {0, -1.5F, 0};
  spec.types = {TokenType::unknown, TokenType::normal, TokenType::user_defined};
  spec.bos = 2;
  spec.eos = 2;
  spec.unk = 0;
  spec.pad = 1;
  spec.add_bos = spec.add_eos = spec.add_space_prefix = spec.remove_extra_spaces = true;
  spec.space_suffix = true;
  spec.charsmap = std::string("\4\0\0\0\1\2\3\xFFz", 9);
  spec.normal_form = "nfkc";
  spec.strip_left = {2};
  spec.strip_right = {0, 2};
  spec.json = "{}";
  GgufWriter writer;
  write_tokenizer(spec, writer);
  auto bytes = std::make_shared<std::vector<std::byte>>(writer.bytes());
  EXPECT_EQ(read_tokenizer(GgufFile::parse(*bytes, bytes, "test")), spec);
}

// What reading a vocabulary of three tokens says after a change; "" if nothing.
std::string error_with(std::string_view key, const GgufValue& value) {
  TokenizerSpec spec;
  spec.model = "llama";
  spec.tokens = {"a", "b", "c"};
  spec.scores = {0, 0, 0};
  GgufWriter writer;
  write_tokenizer(spec, writer);
  writer.set(std::string(key), value);
  auto bytes = std::make_shared<std::vector<std::byte>>(writer.bytes());
  try {
    check_tokenizer_spec(read_tokenizer(GgufFile::parse(*bytes, bytes, "test")));
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST(TokenizerGguf, IdsOutsideOfTheVocabularyAreRefusedByTheirKey) {
  for (const char* name : {"bos", "eos", "unknown", "eot", "eom"}) {
    const std::string key = fmt::format("tokenizer.ggml.{}_token_id", name);
    const auto expected = [&](std::string_view got) {
      return fmt::format(
          "[gguf test] metadata key \"{}\": expected the id of one of 3 tokens or -1, got {}", key,
          got);
    };
    EXPECT_EQ(error_with(key, uint32_t{2}), "");
    EXPECT_EQ(error_with(key, uint32_t{3}), expected("3"));
    EXPECT_EQ(error_with(key, int32_t{-5}), expected("-5"));
    EXPECT_EQ(error_with(key, uint64_t{1} << 40), expected("1099511627776"));
    EXPECT_NE(error_with(key, std::string("x")).find(key), std::string::npos);
    // How files say that there is none.
    EXPECT_EQ(error_with(key, int32_t{-1}), "");
    EXPECT_EQ(error_with(key, uint32_t{0xffffffff}), "");
  }
  // Padding is never read, and some files that people have are wrong about it.
  EXPECT_EQ(error_with("tokenizer.ggml.padding_token_id", uint32_t{3}), "");
}

TEST(TokenizerGguf, NumbersBeyond32BitsAreNotCutToRightOnes) {
  const std::vector<int64_t> types(3, (int64_t{1} << 32) + 1);
  EXPECT_NE(error_with("tokenizer.ggml.token_type", GgufArray(types)).find("type from 1 to 6"),
            std::string::npos);
  const std::vector<int64_t> bytes = {0, 256};
  EXPECT_NE(error_with("tokenizer.ggml.precompiled_charsmap", GgufArray(bytes)).find("bytes, got"),
            std::string::npos);
}

}  // namespace
}  // namespace bantam
