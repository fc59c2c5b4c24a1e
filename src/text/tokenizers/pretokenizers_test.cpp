#include "text/tokenizers/pretokenizers.h"

#include <gtest/gtest.h>

#include <string>

#include "base/random.h"

namespace bantam {
namespace {

using Words = std::vector<std::string>;

Words split(std::string_view rule, std::string_view text) {
  Words words;
  for_each_word(find_pre_tokenizer(rule)->stages, text,
                [&](std::string_view word) { words.emplace_back(word); });
  return words;
}

TEST(PreTokenizers, Gpt2KeepsOneSpaceWithTheWordAndTheRestApart) {
  EXPECT_EQ(split("gpt-2", "Hello  world! I've 42\n\n\tcats "),
            (Words{"Hello", " ", " world", "!", " I", "'ve", " 42", "\n\n", "\t", "cats", " "}));
  EXPECT_EQ(split("gpt-2", "'sam they'LL"), (Words{"'s", "am", " they", "'", "LL"}));
  EXPECT_EQ(split("gpt-2", " \n x"), (Words{" \n", " x"}));
}

TEST(PreTokenizers, Llama3TakesThreeDigitsAnyCaseContractionsAndNewlinesAfterSymbols) {
  EXPECT_EQ(split("llama-bpe", "12345 they'LL (ok);\n\n  go"),
            (Words{"123", "45", " they", "'LL", " (", "ok", ");\n\n", " ", " go"}));
  EXPECT_EQ(split("llama-bpe", "a \n \n  b\tc"), (Words{"a", " \n \n", " ", " b", "\tc"}));
}

TEST(PreTokenizers, Qwen2TakesSingleDigits) {
  EXPECT_EQ(split("qwen2", "x 12"), (Words{"x", " ", "1", "2"}));
}

TEST(PreTokenizers, SmolLmIsolatesDigitsBeforeGpt2Rules) {
  EXPECT_EQ(split("smollm", "in  12 ok"), (Words{"in", "  ", "1", "2", " ok"}));
}

TEST(PreTokenizers, DefaultIsolatesPunctuationAndDigitTriples) {
  EXPECT_EQ(split("default", "a+b, 12345"), (Words{"a", "+", "b", ",", " ", "123", "45"}));
}

TEST(PreTokenizers, DeepSeekCoderIsolatesNewlinesAndCjk) {
  EXPECT_EQ(split("deepseek-coder", "ab  c\n\n(12"),
            (Words{"ab", " ", " c", "\n", "\n", "(", "1", "2"}));
}

TEST(PreTokenizers, UnicodeLettersNumbersAndSpacesCountAsSuch) {
  EXPECT_EQ(split("gpt-2", "\u00C4pfel \u4E2D\u00BD\u3000x"),
            (Words{"\u00C4pfel", " \u4E2D", "\u00BD", "\u3000", "x"}));
}

TEST(PreTokenizers, WordsOfEveryRuleMakeUpAnyBytes) {
  Random random(7);
  const std::string_view alphabet = "ab '\n\t\r12.+`sLl\xC3\xA4\xE4\xB8\xAD\xF0\x9F\x80";
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (uint32_t i = random.below(40); i > 0; --i) {
      text += alphabet[random.below(static_cast<uint32_t>(alphabet.size()))];
    }
    for (const std::string_view rule : pre_tokenizer_names()) {
      std::string joined;
      for (const std::string& word : split(rule, text)) {
        EXPECT_FALSE(word.empty());
        joined += word;
      }
      ASSERT_EQ(joined, text) << rule;
    }
  }
}

TEST(PreTokenizers, UnknownRulesAreNotFound) {
  EXPECT_EQ(find_pre_tokenizer("nope"), nullptr);
}

}  // namespace
}  // namespace bantam
