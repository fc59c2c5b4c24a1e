#include "runtime/word_pieces.h"

#include <gtest/gtest.h>

#include <set>

namespace bantam {
namespace {

std::unique_ptr<Tokenizer> tokenizer_of(const std::vector<std::string>& pieces) {
  TokenizerSpec spec;
  spec.model = "llama";
  spec.tokens = {"<unk>", "<s>"};
  spec.types = {TokenType::unknown, TokenType::control};
  for (const std::string& piece : pieces) {
    spec.tokens.push_back(piece);
    spec.types.push_back(TokenType::normal);
  }
  spec.scores.assign(spec.tokens.size(), 0);
  spec.unk = 0;
  spec.bos = 1;
  return make_tokenizer(spec);
}

const std::vector<std::string> kPieces = {"the", "▁the", "▁t", "t",  "th", "then", "▁",   ",",
                                          "é",   "▁a-b", "a.", "'s", "▁b", "b",    "▁é7", "zz"};

TEST(WordPieces, ThatBeginWithATextAreARange) {
  const auto tokenizer = tokenizer_of(kPieces);
  const WordPieces pieces(*tokenizer);
  for (const std::string text :
       {"t", "th", "the", "then", "thenx", " ", " t", " th", "\xC3", "z"}) {
    std::set<int32_t> found, equal, expected, same;
    const auto range = pieces.starting_with(text);
    for (uint32_t rank = range.begin; rank < range.end; ++rank) found.insert(pieces.id(rank));
    const auto exact = pieces.equal_to(text);
    for (uint32_t rank = exact.begin; rank < exact.end; ++rank) equal.insert(pieces.id(rank));
    for (int32_t id = 2; id < tokenizer->vocab_size(); ++id) {
      if (tokenizer->piece(id).starts_with(text)) expected.insert(id);
      if (tokenizer->piece(id) == text) same.insert(id);
    }
    EXPECT_EQ(found, expected) << text;
    EXPECT_EQ(equal, same) << text;
  }
}

TEST(WordPieces, KnowWhereAWordGoesOnAndWhereItEnds) {
  const auto tokenizer = tokenizer_of(kPieces);
  const WordPieces pieces(*tokenizer);
  std::set<std::string> goes_on, begins, boundary;
  for (uint32_t rank = 0; rank < pieces.size(); ++rank) {
    const std::string piece(pieces.piece(rank));
    if (pieces.goes_on(rank)) goes_on.insert(piece);
    if (pieces.begins_word(rank)) begins.insert(piece);
    if (pieces.is_boundary(rank)) boundary.insert(piece);
  }
  EXPECT_EQ(goes_on, (std::set<std::string>{"the", "t", "th", "then", "é", "'s", "b", "zz"}));
  EXPECT_EQ(begins, (std::set<std::string>{" the", " t", " ", " b", " é7"}));
  EXPECT_EQ(boundary, (std::set<std::string>{" the", " t", " ", " b", " é7", ",", " a-b"}));
  EXPECT_EQ(pieces.ends().size(), 2u);
}

}  // namespace
}  // namespace bantam
