#include "text/unigram_trainer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "text/tokenizer.h"

namespace bantam {
namespace {

std::string sample() {
  std::string text;
  for (int i = 0; i < 40; ++i) {
    text += "The teacher teaches the reader. A reader reads what the teacher wrote.\n";
    text += "She walked and talked; he walks and talks, walking and talking. \u00E4\u4E2D\n";
  }
  return text;
}

TokenizerSpec trained(int32_t vocab_size) {
  const std::string text = sample();
  const std::string_view texts[] = {text};
  UnigramTrainer trainer({.vocab_size = vocab_size});
  trainer.add(texts);
  return trainer.train();
}

TEST(UnigramTrainer, FindsThePiecesThatTheTextIsMadeOf) {
  const TokenizerSpec spec = trained(330);
  EXPECT_LE(spec.tokens.size(), 330u);
  EXPECT_GT(spec.tokens.size(), 300u);
  const auto has = [&](const char* token) {
    return std::ranges::find(spec.tokens, token) != spec.tokens.end();
  };
  EXPECT_TRUE(has("\u2581the"));
  EXPECT_TRUE(has("\u2581and"));
  const auto tokenizer = make_tokenizer(spec);
  const auto ids = tokenizer->encode("the teacher talked");
  EXPECT_LE(ids.size(), 10u);
}

TEST(UnigramTrainer, AnyTextSurvives) {
  const auto tokenizer = make_tokenizer(trained(320));
  for (const std::string text :
       {"the reader", "  two  spaces ", "never seen: \U0001F999 \xFF\xFE", "a\nb\n\nc", ""}) {
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
  }
}

TEST(UnigramTrainer, SpecialTokensSeparateDocumentsAndAreNotLearned) {
  const std::string_view texts[] = {"ab ab ab<|endoftext|>ab ab ab<|endoftext|>"};
  UnigramTrainer trainer({.vocab_size = 300});
  trainer.add(texts);
  const TokenizerSpec spec = trainer.train();
  EXPECT_EQ(spec.tokens[1], "<|endoftext|>");
  EXPECT_EQ(spec.eos, 1);
  EXPECT_EQ(
      std::ranges::count_if(spec.tokens, [](std::string_view t) { return t.find('|') != t.npos; }),
      1);
}

TEST(UnigramTrainer, TheSameWordsGiveTheSameVocabulary) {
  const std::string text = sample();
  const std::string_view once[] = {text};
  UnigramTrainer a({.vocab_size = 330});
  a.add(once);
  EXPECT_EQ(a.train(), trained(330));
}

TEST(UnigramTrainer, LikelierPiecesHaveHigherScores) {
  const TokenizerSpec spec = trained(330);
  const size_t first = 1 + 1 + 256;
  EXPECT_TRUE(std::is_sorted(spec.scores.begin() + first, spec.scores.end(), std::greater<>()));
  double sum = 0;
  for (size_t i = first; i < spec.scores.size(); ++i) sum += std::exp(double{spec.scores[i]});
  EXPECT_GT(sum, 0.5);
  EXPECT_LT(sum, 1.05);
}

TEST(UnigramTrainer, RefusesAVocabularyWithoutRoom) {
  EXPECT_THROW(UnigramTrainer({.vocab_size = 257}), Error);
  EXPECT_THROW(UnigramTrainer({.shrinking_factor = 1.5}), Error);
}

}  // namespace
}  // namespace bantam
