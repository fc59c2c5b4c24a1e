#include "text/llama2c_tokenizer.h"

#include <gtest/gtest.h>

#include <bit>
#include <string>

#include "base/error.h"
#include "text/tokenizer.h"

namespace bantam {
namespace {

void put(std::string& file, uint32_t value) {
  for (int i = 0; i < 4; ++i) file += static_cast<char>(value >> (8 * i));
}

std::string small_file() {
  std::string file;
  put(file, 7);
  for (const std::string token : {"<unk>", "\n<s>\n", "\n</s>\n", "<0x0A>", " a"}) {
    put(file, std::bit_cast<uint32_t>(-1.5f));
    put(file, static_cast<uint32_t>(token.size()));
    file += token;
  }
  return file;
}

TokenizerSpec parse(std::string_view file, int32_t vocab_size) {
  return parse_llama2c_tokenizer(std::as_bytes(std::span(file)), vocab_size, "t.bin");
}

TEST(Llama2cTokenizer, ReadsTokensAsSentencePieceSpellsThem) {
  const TokenizerSpec spec = parse(small_file(), 5);
  EXPECT_EQ(spec.tokens, (std::vector<std::string>{"<unk>", "<s>", "</s>", "<0x0A>", "\u2581a"}));
  EXPECT_EQ(spec.types[3], TokenType::byte);
  EXPECT_EQ(spec.types[4], TokenType::normal);
  EXPECT_EQ(spec.scores[4], -1.5f);
  EXPECT_EQ(make_tokenizer(spec)->encode("a\n"), (std::vector<int32_t>{1, 4, 3}));
}

TEST(Llama2cTokenizer, EveryTruncationIsRefused) {
  const std::string file = small_file();
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_THROW(parse(std::string_view(file).substr(0, size), 5), Error);
  }
}

TEST(Llama2cTokenizer, AWrongVocabularyAndAbsurdLengthsAreRefused) {
  EXPECT_THROW(parse(small_file(), 4), Error);
  EXPECT_THROW(parse(small_file(), 6), Error);
  EXPECT_THROW(parse(small_file(), 0), Error);
  std::string file = small_file();
  file[8] = 100;  // the first token's length
  EXPECT_THROW(parse(file, 5), Error);
  file[8] = file[9] = file[10] = file[11] = '\xFF';
  EXPECT_THROW(parse(file, 5), Error);
}

}  // namespace
}  // namespace bantam
