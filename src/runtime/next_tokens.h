#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "runtime/word_pieces.h"

namespace bantam {

// What may follow a text: the tokens that are worth a thought, in the order of their pieces.
struct NextTokens {
  struct Token {
    uint32_t rank;
    float probability;
  };
  // Those of a range of ranks.
  [[nodiscard]] std::span<const Token> in(WordPieces::Range range) const;

  std::vector<Token> tokens;
  double boundary = 0;  // probability that the word ends here
  int64_t used = 0;
};

// The continuations of texts that were asked for, by the texts' tokens. Where they take more than
// `bytes`, the half that was not used for longest is forgotten.
class NextTokensMemo {
 public:
  NextTokensMemo(const WordPieces& pieces, float least_probability, size_t bytes)
      : pieces_(pieces), least_(least_probability), most_bytes_(bytes) {}

  // Valid until forget_old(); null if the text is not known.
  const NextTokens* find(const std::vector<int32_t>& text);
  const NextTokens& add(const std::vector<int32_t>& text, std::span<const float> logits);
  void forget_old();
  [[nodiscard]] size_t size() const { return known_.size(); }

 private:
  struct Hash {
    size_t operator()(const std::vector<int32_t>& ids) const;
  };
  static size_t bytes_of(const std::vector<int32_t>& text, const NextTokens& next);

  const WordPieces& pieces_;
  float least_;
  size_t most_bytes_, bytes_ = 0;
  int64_t now_ = 0;
  std::unordered_map<std::vector<int32_t>, NextTokens, Hash> known_;
  std::vector<float> probabilities_;
  std::vector<NextTokens::Token> worth_;
};

}  // namespace bantam
