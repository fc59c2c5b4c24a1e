#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "data/corpora.h"
#include "text/tokenizer_spec.h"

namespace bantam {

class ThreadPool;

struct LearnTokenizer {
  enum Kind { bpe, unigram };  // byte-level BPE; SentencePiece's Unigram with bytes to fall back on
  Kind kind = bpe;
  int64_t vocabulary = 8192;
  std::vector<SourceSpec> sources = {};
  uint64_t held_out_every = 0;  // documents that is_held_out() picks are not learned from
};

// Pieces so far and how many there shall be.
using LearnProgress = std::function<void(int64_t, int64_t)>;

// Reads the sources and learns a tokenizer from their documents. It puts <|endoftext|> before a
// text: documents follow that token in training, so a prompt does too. The same sources give the
// same tokenizer. Throws what reading and the trainers do.
TokenizerSpec learn_tokenizer(const LearnTokenizer& what, ThreadPool& pool,
                              const LearnProgress& progress = {});

}  // namespace bantam
