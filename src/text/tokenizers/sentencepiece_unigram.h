#pragma once

#include <array>

#include "text/tokenizer.h"
#include "text/tokenizers/sentencepiece_normaliser.h"
#include "text/tokenizers/trie.h"
#include "text/tokenizers/word_cache.h"

namespace bantam {

// The best segmentation of a text under a unigram model (Kudo 2018): pieces with log probabilities,
// of all ways to cut the text the one of greatest sum, found by Viterbi's algorithm. Of equal ones
// the cut whose last piece starts first wins.
class UnigramModel {
 public:
  struct Piece {
    std::string_view text;
    int32_t id;
    double score;
  };

  UnigramModel() = default;
  // A character that is no piece costs `unknown_score` and becomes -1.
  UnigramModel(const std::vector<Piece>& pieces, double unknown_score);

  // emit(int32_t id, size_t begin, size_t end) for each piece in order.
  struct Cut {
    int32_t id;
    size_t begin, end;
  };
  void segment(std::string_view text, std::vector<Cut>& cuts) const;

 private:
  Trie trie_;
  std::vector<double> scores_;  // by id
  double unknown_score_ = 0;
};

// SentencePiece Unigram (GGUF model "t5"): normalised text is segmented; characters without a
// piece become their bytes <0xXX> where the vocabulary has them, and else runs of them become one
// unknown token.
class SentencePieceUnigram final : public Tokenizer {
 public:
  // The specification must have passed check_tokenizer_spec.
  SentencePieceUnigram(TokenizerSpec spec, std::string_view where);

 private:
  void encode_plain(std::string_view text, std::vector<int32_t>& out) const override;
  void encode_word(std::string_view word, std::vector<int32_t>& out) const;

  SentencePieceNormaliser normalise_;
  UnigramModel model_;
  std::array<int32_t, 256> byte_tokens_;
  bool byte_fallback_ = false;
  // No token has a space after another character and a space is a token: words stand alone.
  bool words_are_separate_ = true;
  WordCache cache_;
};

}  // namespace bantam
