#include "text/hf/tokenizer_json.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"
#include "text/hf/splitter.h"
#include "text/unicode.h"

namespace bantam {
namespace {

using Ids = std::vector<int32_t>;

std::unique_ptr<Tokenizer> tokenizer(const std::string& json) {
  return make_tokenizer(parse_tokenizer_json(json, "tokenizer.json"), "tokenizer.json");
}

std::string message_of(const std::string& json) {
  try {
    tokenizer(json);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::format);
    return error.what();
  }
  return "no error";
}

std::string with_model(const std::string& rest) {
  return R"({"model":{"type":"WordLevel","unk_token":"?","vocab":{"?":0,"a":1,"b":2,"ab":3}})" +
         rest + "}";
}

TEST(TokenizerJson, AddedTokensStripTheSpaceThatTheySay) {
  const auto t = tokenizer(with_model(R"(,"added_tokens":[{"id":4,"content":"<l>","lstrip":true},
    {"id":5,"content":"<r>","rstrip":true},{"id":6,"content":"w","single_word":true}])"));
  EXPECT_EQ(t->encode("a \t<l>b"), (Ids{1, 4, 2}));
  EXPECT_EQ(t->encode("a<r> \u3000b"), (Ids{1, 5, 2}));
  EXPECT_EQ(t->encode("a <r>b"), (Ids{0, 5, 2}));
  EXPECT_EQ(t->encode("w"), (Ids{6}));
  EXPECT_EQ(t->encode("-w-"), (Ids{0, 6, 0}));
  EXPECT_EQ(t->encode("xw"), (Ids{0}));
}

TEST(TokenizerJson, SpecialTokensAreTextWhereTheyAreNotToBeParsed) {
  const auto t = tokenizer(with_model(R"(,"added_tokens":[
    {"id":4,"content":"<s>","special":true},{"id":5,"content":"<u>"}])"));
  EXPECT_EQ(t->encode("a<s>b<u>"), (Ids{1, 4, 2, 5}));
  EXPECT_EQ(t->encode("<s><u>a", {.parse_special = false}), (Ids{0, 5, 1}));
  EXPECT_EQ(t->type(4), TokenType::control);
  EXPECT_EQ(t->type(5), TokenType::user_defined);
}

TEST(TokenizerJson, NormalisedAddedTokensAreFoundInTheNormalisedText) {
  const auto t = tokenizer(with_model(R"(,"normalizer":{"type":"Lowercase"},"added_tokens":[
    {"id":4,"content":"<X>","normalized":true},{"id":5,"content":"<Y>","normalized":false}])"));
  EXPECT_EQ(t->encode("A<x>B<X>a<Y><y>"), (Ids{1, 4, 2, 4, 1, 5, 0}));
}

TEST(TokenizerJson, TemplatesFrameTheText) {
  const auto t = tokenizer(with_model(R"(,"post_processor":{"type":"TemplateProcessing",
    "single":[{"SpecialToken":{"id":"a"}},{"Sequence":{"id":"A"}},{"SpecialToken":{"id":"b"}}],
    "special_tokens":{"a":{"id":"a","ids":[1]},"b":{"id":"b","ids":[2,2]}}})"));
  EXPECT_EQ(t->encode("ab"), (Ids{1, 3, 2, 2}));
  EXPECT_EQ(t->encode("ab", {.special = false}), (Ids{3}));
}

TEST(TokenizerJson, BpeFollowsMergesBytesAndUnknowns) {
  const std::string model = R"({"model":{"type":"BPE","byte_fallback":true,"unk_token":"?",
    "vocab":{"?":0,"a":1,"b":2,"c":3,"ab":4,"bc":5,"<0xC3>":6,"<0xA4>":7},
    "merges":[["b","c"],"a b"]},"decoder":{"type":"ByteFallback"}})";
  const auto t = tokenizer(model);
  EXPECT_EQ(t->encode("abc"), (Ids{1, 5}));
  EXPECT_EQ(t->encode("ab\u00E4"), (Ids{4, 6, 7}));
  EXPECT_EQ(t->encode("\u00FC\u00FCa"), (Ids{0, 0, 1}));
  EXPECT_EQ(t->decode(t->encode("ab\u00E4")), "ab\u00E4");
}

TEST(TokenizerJson, WhatHasNoTokenIsGoneBeforeAnythingMerges) {
  const auto t =
      tokenizer(R"({"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}})");
  EXPECT_EQ(t->encode("a?b"), (Ids{2}));
  EXPECT_EQ(t->encode("?"), (Ids{}));
}

TEST(TokenizerJson, UnigramKnowsTheUnknownTokenByItsSpelling) {
  const auto t = tokenizer(R"({"model":{"type":"Unigram","unk_id":0,
    "vocab":[["<unk>",0],["a",-1],["b",-1],["<",-3],["u",-3],["n",-3],["k",-3],[">",-3]]}})");
  EXPECT_EQ(t->encode("a<unk>b"), (Ids{1, 0, 2}));
  EXPECT_EQ(t->encode("a<unk><unk>?b"), (Ids{1, 0, 2}));
  EXPECT_EQ(t->encode("<un>"), (Ids{3, 4, 5, 7}));
}

std::string pieces_of(const hf::PreTokenizer& step, std::string_view text) {
  std::deque<std::string> arena;
  std::string joined;
  for (const std::string_view piece : hf::Splitter({step}, "x").split(text, true, arena)) {
    joined += fmt::format("[{}]", piece);
  }
  return joined;
}

// Oniguruma takes a fraction for a word, except within a class; Rust's library never does.
TEST(TokenizerJson, WordsAreWhatEachRegexLibraryTakesForThem) {
  hf::PreTokenizer step;
  const auto isolated = [&](const char* pattern, std::string_view text) {
    step.pattern = {pattern, true};
    return pieces_of(step, text);
  };
  EXPECT_EQ(isolated(R"(\w+)", "-0\u00BD-"), "[-][0\u00BD][-]");
  EXPECT_EQ(isolated(R"([\w]+)", "-0\u00BD-"), "[-][0][\u00BD-]");
  EXPECT_EQ(isolated(R"(0\b)", "-0\u00BD-"), "[-0\u00BD-]");
  EXPECT_EQ(isolated(R"(\bx)", "\u24B6x x"), "[\u24B6x ][x]");  // \u24B6 is alphabetic
  step = {};
  step.kind = hf::PreTokenizer::Kind::white_space;
  EXPECT_EQ(pieces_of(step, "a\u00BD b_1 \u24B6\u2460"), "[a][\u00BD][b_1][\u24B6][\u2460]");
}

TEST(TokenizerJson, SplitsBehaveAsTheySay) {
  const auto pieces = [](const std::string& behaviour, bool invert) {
    hf::PreTokenizer step;
    step.pattern = {"-", false};
    step.invert = invert;
    step.behaviour = behaviour == "removed"    ? hf::Behaviour::removed
                     : behaviour == "previous" ? hf::Behaviour::merged_with_previous
                     : behaviour == "next"     ? hf::Behaviour::merged_with_next
                     : behaviour == "run"      ? hf::Behaviour::contiguous
                                               : hf::Behaviour::isolated;
    return pieces_of(step, "a-b--c");
  };
  EXPECT_EQ(pieces("removed", false), "[a][b][c]");
  EXPECT_EQ(pieces("removed", true), "[-][-][-]");
  EXPECT_EQ(pieces("isolated", false), "[a][-][b][-][-][c]");
  EXPECT_EQ(pieces("previous", false), "[a-][b-][-][c]");
  EXPECT_EQ(pieces("next", false), "[a][-b][-][-c]");
  EXPECT_EQ(pieces("run", false), "[a][-][b][--][c]");
}

// The same expression as a scanner and, slightly altered in form, through PCRE2.
TEST(TokenizerJson, ScannersAgreeWithTheRegexLibrary) {
  // NOLINTBEGIN(bugprone-suspicious-missing-comma): long ones are in parts.
  const std::string_view patterns[] = {
      R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)",
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
      R"(|\s*[\r\n]+|\s+(?!\S)|\s+)",
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N})"
      R"(| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
      R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
      R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
      R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
      R"(\p{N}{1,3})",
      R"(\s?\p{L}+)",
      R"(\s?\p{P}+)",
      R"(\s+$)",
      "[\r\n]"};
  // NOLINTEND(bugprone-suspicious-missing-comma)
  Random random(5);
  const std::u32string_view alphabet =
      U"aZ'sLd 7\u0663\n\r\t.,/-$\u00E9\u00C9\u01C5\u0301\u4E2D\u3042\uAC00\u00A0\u3000\u0085"
      U"\u200B\U0001F44D\U0001D400\u02B0";
  for (const std::string_view pattern : patterns) {
    hf::PreTokenizer step;
    step.pattern = {std::string(pattern), true};
    ASSERT_NE(hf::Splitter::stage_of(step), nullptr) << pattern;
    const hf::Splitter scanner({step}, "x");
    const hf::Regex regex(fmt::format("(?:{})", pattern), "x");
    for (int round = 0; round < 400; ++round) {
      std::string text;
      for (uint32_t i = 1 + random.below(24); i > 0; --i) {
        append_utf8(text, alphabet[random.below(static_cast<uint32_t>(alphabet.size()))]);
      }
      std::deque<std::string> arena;
      std::vector<std::string_view> expected;
      for (const hf::Span& span : regex.split(text)) {
        expected.push_back(std::string_view(text).substr(span.begin, span.end - span.begin));
      }
      ASSERT_EQ(scanner.split(text, true, arena), expected) << pattern << "\n" << text;
    }
  }
}

// Quadratic time would take minutes here.
TEST(TokenizerJson, AMegabyteWithoutSpacesIsEncodedInReasonableTime) {
  const std::string models[] = {
      R"({"model":{"type":"BPE","unk_token":"?","vocab":{"?":0,"a":1,"b":2,"aa":3,"ab":4,"aaaa":5},
          "merges":["a a","a b","aa aa"]}})",
      R"({"pre_tokenizer":{"type":"Split","pattern":{"Regex":"\\w+|[^\\w]"},"behavior":"Isolated"},
          "model":{"type":"Unigram","unk_id":0,"vocab":[["?",0],["a",-1],["ab",-1.5],["aaaa",-2]]}})",
      R"({"normalizer":{"type":"BertNormalizer"},"pre_tokenizer":{"type":"BertPreTokenizer"},
          "model":{"type":"WordPiece","unk_token":"?","vocab":{"?":0,"a":1,"##a":2}}})",
      R"({"normalizer":{"type":"NFC"},"model":{"type":"BPE","unk_token":"?","fuse_unk":true,
          "vocab":{"?":0,"a":1},"merges":[]}})"};
  for (const std::string& json : models) {
    const auto t = tokenizer(json);
    std::string marks;  // each of another combining class than its neighbours
    while (marks.size() < (1u << 18)) marks += "\u0316\u0301\u0327";
    for (const std::string& text : {std::string(1 << 20, 'a'), std::string(1 << 20, 'b'),
                                    std::string(1 << 20, ' ') + "a", "a" + marks}) {
      EXPECT_FALSE(t->encode(text).empty());
    }
  }
}

TEST(TokenizerJson, APatternThatExplodesGivesUp) {
  const hf::Regex regex("(a+a+)+[^a]", "tokenizer.json");
  try {
    (void)regex.split(std::string(60, 'a'));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::resource);
    EXPECT_NE(std::string(error.what()).find("(a+a+)+[^a]"), std::string::npos);
  }
}

TEST(TokenizerJson, FaultsAreNamedWithTheirPath) {
  EXPECT_NE(message_of("{").find("[tokenizer.json] expected JSON"), std::string::npos);
  EXPECT_EQ(message_of("{}"), "[tokenizer.json] model: expected an object, got nothing");
  EXPECT_EQ(message_of(R"({"model":{"type":"BPE","vocab":{"a":0},"merges":["a"]}})"),
            "[tokenizer.json] model.merges: expected two tokens as merge 0, got an array of 1");
  EXPECT_EQ(message_of(R"({"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}})"),
            "[tokenizer.json] model.merges[0]: expected a token \"ab\", got none");
  EXPECT_NE(message_of(R"({"model":{"type":"BPE","vocab":{"a":99999999},"merges":[]}})")
                .find("token \"a\": expected an id below"),
            std::string::npos);
  EXPECT_EQ(
      message_of(with_model(R"(,"normalizer":{"type":"Sequence","normalizers":[{"type":7}]})")),
      "[tokenizer.json] normalizer.normalizers[0].type: expected a string, got 7");
  EXPECT_NE(message_of(with_model(R"(,"pre_tokenizer":{"type":"Split","pattern":{"Regex":"("},)"
                                  R"("behavior":"Isolated"})"))
                .find("pattern \"(\""),
            std::string::npos);
  EXPECT_NE(message_of(with_model(R"(,"post_processor":{"type":"TemplateProcessing",)"
                                  R"("single":[{"SpecialToken":{"id":"x"}}],"special_tokens":{}})"))
                .find("post_processor.special_tokens.x.ids"),
            std::string::npos);
  EXPECT_NE(message_of(std::string(200, '[')).find("nested at most"), std::string::npos);
}

}  // namespace
}  // namespace bantam
