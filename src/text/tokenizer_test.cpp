#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "base/random.h"
#include "text/bpe_trainer.h"
#include "text/unicode.h"

namespace bantam {
namespace {

TokenizerSpec trained_spec() {
  ThreadPool pool(1);
  std::string text;
  for (int i = 0; i < 20; ++i)
    text += "the cat sat on the mat and the dog ate the hat. \u00E4\u4E2D\n";
  const std::string_view texts[] = {text};
  return train_bpe(texts, {.vocab_size = 300, .special_tokens = {"<|endoftext|>", "<|end|>"}},
                   pool);
}

// Byte tokens at 3..258, then a few pieces; the higher the score the sooner they merge.
TokenizerSpec llama_spec() {
  TokenizerSpec spec;
  spec.model = "llama";
  spec.tokens = {"<unk>", "<s>", "</s>"};
  spec.types = {TokenType::unknown, TokenType::control, TokenType::control};
  for (int byte = 0; byte < 256; ++byte) {
    spec.tokens.push_back(fmt::format("<0x{:02X}>", byte));
    spec.types.push_back(TokenType::byte);
  }
  for (const char* piece :
       {"\u2581", "a", "b", "c", "ab", "bc", "\u2581a", "\u2581\u2581", "abc"}) {
    spec.tokens.push_back(piece);
    spec.types.push_back(TokenType::normal);
  }
  spec.tokens.push_back("<tool>");
  spec.types.push_back(TokenType::user_defined);
  spec.scores.assign(spec.tokens.size(), 0.0f);
  const auto score = [&](const char* piece, float value) {
    spec.scores[static_cast<size_t>(std::ranges::find(spec.tokens, piece) - spec.tokens.begin())] =
        value;
  };
  score("ab", -2);
  score("bc", -1);
  score("\u2581a", -3);
  score("\u2581\u2581", -4);
  score("abc", -5);
  spec.unk = 0;
  spec.bos = 1;
  spec.eos = 2;
  spec.add_bos = true;
  spec.add_space_prefix = true;
  return spec;
}

std::vector<std::string> spelled(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  std::vector<std::string> out;
  for (const int32_t id : ids) out.emplace_back(tokenizer.spec().tokens[static_cast<size_t>(id)]);
  return out;
}

std::string random_bytes(Random& random, bool utf8) {
  std::string text;
  for (uint32_t n = random.below(60); n > 0; --n) {
    if (utf8) {
      const uint32_t limits[] = {0x80, 0x800, 0x10000, 0x110000};
      append_utf8(text, random.below(limits[random.below(4)]));
    } else {
      text += static_cast<char>(random.below(random.below(2) == 0 ? 128 : 256));
    }
  }
  return text;
}

using Spelled = std::vector<std::string>;
constexpr EncodeOptions kPlain{.special = false, .parse_special = false};

TEST(Tokenizer, AnyBytesSurviveByteLevelBpe) {
  const auto tokenizer = make_tokenizer(trained_spec());
  Random random(1);
  for (int i = 0; i < 500; ++i) {
    const std::string text = random_bytes(random, i % 2 == 0) + " the mat and the hat";
    ASSERT_EQ(tokenizer->decode(tokenizer->encode(text, kPlain)), text);
  }
}

TEST(Tokenizer, AnyBytesSurviveSentencePieceBpe) {
  const auto tokenizer = make_tokenizer(llama_spec());
  Random random(2);
  for (int i = 0; i < 500; ++i) {
    std::string text = " abc" + random_bytes(random, i % 2 == 0) + "<tool>  ab<tool>";
    const size_t mark = text.find("\u2581");  // cannot be told from a space
    if (mark != text.npos) text.erase(mark, 3);
    ASSERT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
  }
}

TEST(Tokenizer, SentencePieceMergesByScoreNotByLength) {
  const auto tokenizer = make_tokenizer(llama_spec());
  EXPECT_EQ(spelled(*tokenizer, tokenizer->encode("abc", {.special = false})),
            (Spelled{"\u2581a", "bc"}));
  EXPECT_EQ(spelled(*tokenizer, tokenizer->encode("abab")), (Spelled{"<s>", "\u2581", "ab", "ab"}));
  EXPECT_EQ(spelled(*tokenizer, tokenizer->encode("  \u00E4", kPlain)),
            (Spelled{"\u2581\u2581", "\u2581", "<0xC3>", "<0xA4>"}));
  EXPECT_TRUE(tokenizer->encode("", kPlain).empty());
}

TEST(Tokenizer, TokensThatCrossWordsAreFoundToo) {
  TokenizerSpec spec = llama_spec();
  for (const char* piece : {"b\u2581", "b\u2581a"}) {
    spec.tokens.push_back(piece);
    spec.types.push_back(TokenType::normal);
    spec.scores.push_back(-0.5f);
  }
  const auto tokenizer = make_tokenizer(spec);
  EXPECT_EQ(spelled(*tokenizer, tokenizer->encode("b a", kPlain)), (Spelled{"\u2581", "b\u2581a"}));
}

TEST(Tokenizer, CharactersWithoutBytesBecomeUnknown) {
  TokenizerSpec spec = llama_spec();
  spec.tokens.set(3 + 0xC3, "<was a byte>");
  spec.types[3 + 0xC3] = TokenType::unused;
  const auto tokenizer = make_tokenizer(spec);
  EXPECT_EQ(spelled(*tokenizer, tokenizer->encode("\u00E4", kPlain)),
            (Spelled{"\u2581", "<unk>", "<0xA4>"}));
}

TEST(Tokenizer, ControlTokensInTheTextAreRecognisedOnlyOnRequest) {
  const auto tokenizer = make_tokenizer(trained_spec());
  const int32_t end = tokenizer->find("<|end|>").value();
  const auto parsed = tokenizer->encode("the<|end|>cat");
  EXPECT_EQ(std::ranges::count(parsed, end), 1);
  EXPECT_EQ(tokenizer->decode(parsed), "thecat");
  EXPECT_EQ(tokenizer->decode(parsed, {.special = true}), "the<|end|>cat");
  const auto plain = tokenizer->encode("the<|end|>cat", {.parse_special = false});
  EXPECT_EQ(std::ranges::count(plain, end), 0);
  EXPECT_EQ(tokenizer->decode(plain), "the<|end|>cat");
}

TEST(Tokenizer, OfSpecialTokensAtOnePlaceTheLongestWins) {
  TokenizerSpec spec = trained_spec();
  for (const char* token : {"<a", "<a>", "<a>b"}) {
    spec.tokens.push_back(token);
    spec.types.push_back(TokenType::user_defined);
  }
  const auto tokenizer = make_tokenizer(spec);
  EXPECT_EQ(spelled(*tokenizer, tokenizer->encode("<a<a>c<a>b<a>", kPlain)),
            (Spelled{"<a", "<a>", "c", "<a>b", "<a>"}));
}

TEST(Tokenizer, BosAndEosFrameTheTextWhenTheModelAsksForThem) {
  TokenizerSpec spec = trained_spec();
  spec.add_bos = spec.add_eos = true;
  const auto tokenizer = make_tokenizer(spec);
  EXPECT_EQ(tokenizer->encode(""), (std::vector<int32_t>{spec.bos, spec.eos}));
  EXPECT_TRUE(tokenizer->encode("", kPlain).empty());
}

TEST(Tokenizer, WordsThatAreTokensSkipTheMergesUnderLlama3Rules) {
  TokenizerSpec spec = trained_spec();
  spec.tokens.push_back("zyx");
  spec.types.push_back(TokenType::normal);
  EXPECT_EQ(make_tokenizer(spec)->encode("zyx", kPlain).size(), 3u);
  spec.pre = "llama-bpe";
  EXPECT_EQ(make_tokenizer(spec)->encode("zyx", kPlain),
            std::vector<int32_t>{static_cast<int32_t>(spec.tokens.size()) - 1});
}

TEST(Tokenizer, AByteWithoutATokenIsGoneBeforeAnythingMerges) {
  TokenizerSpec spec;
  spec.model = "gpt2";
  spec.tokens = {"a", "b", "ab"};
  spec.types.assign(3, TokenType::normal);
  spec.merges = {"a b"};
  const auto tokenizer = make_tokenizer(spec);
  EXPECT_EQ(tokenizer->encode("ab"), (std::vector<int32_t>{2}));
  EXPECT_EQ(tokenizer->encode("a\x14\x14", kPlain), (std::vector<int32_t>{0}));
  spec.tokens = {"!", "?", "!?"};
  spec.merges = {"! ?"};
  EXPECT_EQ(make_tokenizer(spec)->encode("!\x14?", kPlain), (std::vector<int32_t>{2}));
}

// Tokens mostly stand in the order of their merges, which is where they are looked for first.
TEST(Tokenizer, OfTokensThatAreSpelledAlikeMergesMeanTheFirst) {
  TokenizerSpec spec;
  spec.model = "gpt2";
  spec.tokens = {"a", "b", "x", "y", "ab", "xy", "ab"};
  spec.types.assign(7, TokenType::normal);
  spec.merges = {"x y", "a b"};
  EXPECT_EQ(make_tokenizer(spec)->encode("ab", kPlain), (std::vector<int32_t>{4}));
}

TEST(Tokenizer, AQuarterMegabyteWithoutSpacesIsEncodedInReasonableTime) {
  const std::string same(1 << 18, 'a');
  std::string mixed;
  Random random(4);
  for (int i = 0; i < 1 << 18; ++i) mixed += "theca"[random.below(5)];
  for (const TokenizerSpec& spec : {trained_spec(), llama_spec()}) {
    const auto tokenizer = make_tokenizer(spec);
    for (const std::string& text : {same, mixed, std::string(1 << 18, ' ')}) {
      EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
    }
  }
}

TEST(Tokenizer, PiecesAreBytesAndIdsAreChecked) {
  const auto llama = make_tokenizer(llama_spec());
  EXPECT_EQ(llama->piece(3 + '\n'), "\n");
  EXPECT_EQ(llama->piece(1), "<s>");
  EXPECT_EQ(llama->piece(llama->find("\u2581a").value()), " a");
  EXPECT_EQ(llama->type(1), TokenType::control);
  EXPECT_FALSE(llama->find("xyz").has_value());
  EXPECT_THROW((void)llama->piece(-1), Error);
  EXPECT_THROW((void)llama->piece(llama->vocab_size()), Error);
  EXPECT_THROW((void)llama->decode(std::vector<int32_t>{1 << 30}), Error);
}

TEST(StreamDecoder, NeverShowsHalfACharacter) {
  for (const TokenizerSpec& spec : {trained_spec(), llama_spec()}) {
    const auto tokenizer = make_tokenizer(spec);
    const std::string text = "a \u00E4\u4E2D\U0001F999 b";
    StreamDecoder stream(*tokenizer);
    for (int round = 0; round < 2; ++round) {
      std::string shown;
      for (const int32_t id : tokenizer->encode(text)) {
        const std::string part = stream.push(id);
        EXPECT_TRUE(is_valid_utf8(part));
        shown += part;
      }
      EXPECT_EQ(shown + stream.finish(), text);
    }
  }
}

TEST(StreamDecoder, ReplacesBytesThatFormNoCharacter) {
  const auto tokenizer = make_tokenizer(llama_spec());
  StreamDecoder stream(*tokenizer);
  EXPECT_EQ(stream.push(3 + 0xF0), "");
  EXPECT_EQ(stream.push(3 + 'x'), "\uFFFDx");
  EXPECT_EQ(stream.push(3 + 0xE2), "");
  EXPECT_EQ(stream.finish(), "\uFFFD");
}

TEST(StreamDecoder, KeepsTheSpaceOfAContinuedText) {
  const auto tokenizer = make_tokenizer(llama_spec());
  const int32_t a = tokenizer->find("\u2581a").value();
  StreamDecoder start(*tokenizer);
  StreamDecoder continued(*tokenizer, {.strip_space_prefix = false});
  EXPECT_EQ(start.push(a), "a");
  EXPECT_EQ(continued.push(a), " a");
}

std::string error_of(const TokenizerSpec& spec) {
  try {
    make_tokenizer(spec, "x.gguf");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::format);
    return error.what();
  }
  return "no error";
}

TEST(TokenizerSpec, EveryFaultIsNamed) {
  const auto broken = [](auto change) {
    TokenizerSpec spec = trained_spec();
    change(spec);
    return error_of(spec);
  };
  using Spec = TokenizerSpec&;
  EXPECT_EQ(broken([](Spec s) { s.model = "rwkv"; }),
            "[x.gguf] expected the tokenizer model \"gpt2\", \"llama\", \"t5\" or \"bert\", got "
            "\"rwkv\"");
  EXPECT_NE(broken([](Spec s) { s.pre = "nope"; }).find("\"nope\""), std::string::npos);
  EXPECT_NE(broken([](Spec s) { s.tokens.clear(); }).find("tokens, got 0"), std::string::npos);
  EXPECT_NE(broken([](Spec s) { s.types.pop_back(); }).find("a type for each"), std::string::npos);
  EXPECT_NE(broken([](Spec s) { s.types[5] = TokenType{7}; }).find("token 5"), std::string::npos);
  EXPECT_NE(broken([](Spec s) { s.scores = {1}; }).find("a score for each"), std::string::npos);
  EXPECT_NE(broken([](Spec s) { s.model = "llama"; }).find("a score for each"), std::string::npos);
  EXPECT_NE(broken([](Spec s) { s.eos = 5000; }).find("eos token"), std::string::npos);
  EXPECT_NE(broken([](Spec s) { s.pad = -2; }).find("pad token"), std::string::npos);
  EXPECT_NE(broken([](Spec s) { s.merges.set(3, "nospace"); }).find("merge 3"), std::string::npos);
  EXPECT_NE(broken([](Spec s) { s.merges.set(3, "q q"); }).find("\"qq\""), std::string::npos);
  EXPECT_NE(broken([](Spec s) { s.merges.set(3, "a b c"); }).find("merge 3"), std::string::npos);
  EXPECT_NE(broken([](Spec s) { s.tokens.set(9, std::string(20000, 'x')); }).find("at most"),
            std::string::npos);
  EXPECT_NE(broken([](Spec s) {
              s.bos = -1;
              s.add_bos = true;
            }).find("bos"),
            std::string::npos);
}

TEST(TokenizerSpec, HashIsStableAndSeesEveryField) {
  const TokenizerSpec spec = llama_spec();
  EXPECT_EQ(hash(spec), hash(llama_spec()));
  EXPECT_EQ(hash(TokenizerSpec{}), hash(TokenizerSpec{}));
  const auto changed = [&](auto change) {
    TokenizerSpec other = spec;
    change(other);
    return hash(other);
  };
  using Spec = TokenizerSpec&;
  EXPECT_NE(changed([](Spec s) { s.tokens.set(4, std::string(s.tokens[4]) + "x"); }), hash(spec));
  EXPECT_NE(changed([](Spec s) { s.scores[4] = 9; }), hash(spec));
  EXPECT_NE(changed([](Spec s) { s.types[4] = TokenType::normal; }), hash(spec));
  EXPECT_NE(changed([](Spec s) { s.merges = {"a b"}; }), hash(spec));
  EXPECT_NE(changed([](Spec s) { s.pad = 0; }), hash(spec));
  EXPECT_NE(changed([](Spec s) { s.add_eos = true; }), hash(spec));
}

}  // namespace
}  // namespace bantam
