#include "text/bpe_trainer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/random.h"
#include "text/tokenizer.h"
#include "text/tokenizers/byte_alphabet.h"

namespace bantam {
namespace {

std::string repeat(std::string_view word, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += std::string(word) + "\n";
  return text;
}

// The example of the Hugging Face course: hug 10, pug 5, pun 12, bun 4, hugs 5.
std::string hug_corpus() {
  return repeat("hug", 10) + repeat("pug", 5) + repeat("pun", 12) + repeat("bun", 4) +
         repeat("hugs", 5);
}

// A text with some structure: random words from a small random dictionary.
std::string random_text(uint64_t seed, int words) {
  Random random(seed);
  std::vector<std::string> dictionary;
  for (int i = 0; i < 60; ++i) {
    std::string word;
    for (uint32_t n = 1 + random.below(7); n > 0; --n) {
      word += static_cast<char>('a' + random.below(4));
    }
    dictionary.push_back(word);
  }
  std::string text;
  for (int i = 0; i < words; ++i) {
    text += dictionary[std::min(random.below(60), random.below(60))];
    text += random.below(9) == 0 ? ".\n" : " ";
  }
  return text;
}

// Recounts everything after every merge.
std::vector<std::string> naive_merges(const std::string& text, size_t count) {
  std::map<std::string, int32_t> ids;
  std::vector<std::string> tokens;
  for (const uint8_t byte : byte_alphabet_order()) {
    const auto c = static_cast<char>(byte);
    ids.emplace(spell_bytes({&c, 1}), static_cast<int32_t>(tokens.size()));
    tokens.push_back(spell_bytes({&c, 1}));
  }
  std::map<std::vector<int32_t>, uint64_t> words;
  for_each_word(find_pre_tokenizer("gpt-2")->stages, text, [&](std::string_view word) {
    std::vector<int32_t> symbols;
    for (const char& c : word) symbols.push_back(ids.at(spell_bytes({&c, 1})));
    ++words[symbols];
  });
  std::vector<std::string> merges;
  while (merges.size() < count) {
    std::map<std::pair<int32_t, int32_t>, uint64_t> pairs;
    for (const auto& [word, n] : words) {
      for (size_t i = 0; i + 1 < word.size(); ++i) pairs[{word[i], word[i + 1]}] += n;
    }
    const auto best =
        std::max_element(pairs.begin(), pairs.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    if (best == pairs.end() || best->second < 2) break;
    const auto [left, right] = best->first;
    const std::string a = tokens[static_cast<size_t>(left)];
    const std::string b = tokens[static_cast<size_t>(right)];
    merges.push_back(a + " " + b);
    const auto [it, is_new] = ids.try_emplace(a + b, static_cast<int32_t>(tokens.size()));
    if (is_new) tokens.push_back(a + b);
    std::map<std::vector<int32_t>, uint64_t> next;
    for (const auto& [word, n] : words) {
      std::vector<int32_t> joined;
      for (size_t i = 0; i < word.size(); ++i) {
        const bool match = i + 1 < word.size() && word[i] == left && word[i + 1] == right;
        joined.push_back(match ? it->second : word[i]);
        i += match ? 1 : 0;
      }
      next[joined] += n;
    }
    words = std::move(next);
  }
  return merges;
}

// Applies the merges to the whole word one after the other.
std::vector<int32_t> naive_encode(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<int32_t> out;
  for_each_word(find_pre_tokenizer("gpt-2")->stages, text, [&](std::string_view word) {
    std::vector<std::string> symbols;
    for (const char& c : word) symbols.push_back(spell_bytes({&c, 1}));
    for (const std::string_view merge : tokenizer.spec().merges) {
      const size_t space = merge.find(' ');
      for (size_t i = 0; i + 1 < symbols.size(); ++i) {
        if (symbols[i] != merge.substr(0, space) || symbols[i + 1] != merge.substr(space + 1)) {
          continue;
        }
        symbols[i] += symbols[i + 1];
        symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      }
    }
    for (const std::string& symbol : symbols) out.push_back(tokenizer.find(symbol).value());
  });
  return out;
}

TEST(BpeTrainer, FindsTheMergesOfTheHugCorpus) {
  ThreadPool pool(1);
  const std::string text = hug_corpus();
  const std::string_view texts[] = {text};
  const TokenizerSpec spec = train_bpe(texts, {.vocab_size = 260}, pool);
  EXPECT_EQ(spec.merges, (std::vector<std::string>{"u g", "u n", "h ug"}));
  EXPECT_EQ(spec.tokens[0], "!");
  EXPECT_EQ(spec.tokens[256], "ug");
  EXPECT_EQ(spec.tokens[259], "<|endoftext|>");
  EXPECT_EQ(spec.types[259], TokenType::control);
  EXPECT_EQ(spec.eos, 259);
}

TEST(BpeTrainer, AgreesWithRecountingAfterEveryMerge) {
  ThreadPool pool(1);
  for (uint64_t seed = 0; seed < 3; ++seed) {
    // Runs of one letter overlap with themselves.
    const std::string text = random_text(seed, 800) + " aaaa aaa aaaaaaa aaaaa aaaa bbbbb bbb";
    const std::string_view texts[] = {text};
    const TokenizerSpec spec = train_bpe(texts, {.vocab_size = 357}, pool);
    EXPECT_EQ(spec.merges, naive_merges(text, spec.merges.size()));
    EXPECT_GT(spec.merges.size(), 50u);
  }
}

TEST(BpeTrainer, TrainedTokenizerEncodesLikeTheNaiveAlgorithm) {
  ThreadPool pool(2);
  const std::string text = random_text(11, 3000);
  const std::string_view texts[] = {text};
  const auto tokenizer = make_tokenizer(train_bpe(texts, {.vocab_size = 400}, pool));
  const std::string other = random_text(12, 500) + " aabbccdd dcbadcbadcba" + random_text(11, 200);
  EXPECT_EQ(tokenizer->encode(other), naive_encode(*tokenizer, other));
}

TEST(BpeTrainer, ResultDependsNeitherOnThreadsNorOnHowTheTextIsDivided) {
  ThreadPool one(1);
  ThreadPool three(3);
  const std::string text = random_text(5, 80000);  // several chunks
  const size_t half = text.find('\n', text.size() / 2);
  const std::string_view whole[] = {text};
  const std::string_view parts[] = {std::string_view(text).substr(0, half),
                                    std::string_view(text).substr(half)};
  const TokenizerSpec spec = train_bpe(whole, {.vocab_size = 330}, one);
  BpeTrainer trainer({.vocab_size = 330});
  trainer.add(std::span(parts).first(1), three);
  trainer.add(std::span(parts).last(1), three);
  EXPECT_GT(text.size(), size_t{1} << 18);
  EXPECT_EQ(trainer.train(), spec);
}

TEST(BpeTrainer, SpecialTokensInTheTextAreNotLearnedFrom) {
  ThreadPool pool(1);
  const std::string text = repeat("x<|endoftext|>y", 50);
  const std::string_view texts[] = {text};
  const TokenizerSpec spec = train_bpe(texts, {.vocab_size = 300}, pool);
  EXPECT_TRUE(spec.merges.empty());
  EXPECT_EQ(spec.tokens.size(), 257u);
}

TEST(BpeTrainer, StopsAtTheMinimumFrequencyAndReportsProgress) {
  ThreadPool pool(1);
  const std::string text = hug_corpus();
  const std::string_view texts[] = {text};
  int64_t done = -1;
  const auto spec = train_bpe(texts, {.vocab_size = 1000, .min_frequency = 15}, pool,
                              [&](int64_t d, int64_t) { done = d; });
  EXPECT_EQ(spec.merges.size(), 3u);  // ug 20, un 16, hug 15
  EXPECT_EQ(done, 3);
}

TEST(BpeTrainer, AWordWithoutEndIsLearnedFromInReasonableTime) {
  ThreadPool pool(1);
  Random random(3);
  std::string text;
  for (int i = 0; i < 100000; ++i) text += static_cast<char>('a' + random.below(4));
  const std::string_view texts[] = {text};
  const auto tokenizer = make_tokenizer(train_bpe(texts, {.vocab_size = 400}, pool));
  EXPECT_EQ(tokenizer->vocab_size(), 400);
  EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
}

TEST(BpeTrainer, RefusesWhatCannotBeTrained) {
  EXPECT_THROW(BpeTrainer({.vocab_size = 256}), Error);
  EXPECT_THROW(BpeTrainer({.pre = "nope"}), Error);
  EXPECT_THROW(BpeTrainer({.special_tokens = {"<s>", "<s>"}}), Error);
  EXPECT_THROW(BpeTrainer({.special_tokens = {""}}), Error);
}

}  // namespace
}  // namespace bantam
