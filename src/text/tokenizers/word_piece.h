#pragma once

#include "text/tokenizer.h"
#include "text/tokenizers/trie.h"
#include "text/tokenizers/word_cache.h"

namespace bantam {

// Greedy longest match first (Wu et al. 2016): a word is cut into the longest token that begins it,
// the longest that continues it, and so on; if that fails somewhere the whole word is unknown.
class WordPieceModel {
 public:
  WordPieceModel() = default;
  WordPieceModel(Trie begin, Trie inside, int32_t unk, size_t longest_word)
      : begin_(std::move(begin)),
        inside_(std::move(inside)),
        unk_(unk),
        longest_word_(longest_word) {}

  void encode(std::string_view word, std::vector<int32_t>& out) const;

 private:
  Trie begin_, inside_;
  int32_t unk_ = -1;
  size_t longest_word_ = 100;  // characters; longer words are unknown
};

// From BERT's spelling of tokens ("word", "##inside") to GGUF's ("▁word", "inside"): normal ones.
void mark_word_starts(TokenizerSpec& spec);

// BERT's tokenizer (GGUF model "bert"), whose tokens GGUF spells "▁word" at the beginning of a word
// and plainly inside it; older files say "word" and "##inside".
class WordPiece final : public Tokenizer {
 public:
  // The specification must have passed check_tokenizer_spec.
  explicit WordPiece(TokenizerSpec spec);

 private:
  void encode_plain(std::string_view text, std::vector<int32_t>& out) const override;

  WordPieceModel model_;
  WordCache cache_;
};

}  // namespace bantam
