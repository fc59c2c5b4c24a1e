#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer_spec.h"

namespace bantam {

struct UnigramTrainerOptions {
  int32_t vocab_size = 8192;  // special tokens, bytes and pieces together
  // Control tokens, first in the vocabulary after <unk>; the first becomes BOS and EOS. Where the
  // text has them they separate documents.
  std::vector<std::string> special_tokens = {"<|endoftext|>"};
  bool byte_fallback = true;           // 256 tokens <0xXX> for characters that are no pieces
  double character_coverage = 0.9995;  // of the text, by the characters that become pieces
  int32_t longest_piece = 16;          // characters
  double shrinking_factor = 0.75;      // what each round of pruning keeps
  int32_t em_rounds = 2;               // between prunings
};

using UnigramProgress = std::function<void(int64_t pieces, int64_t wanted)>;

// Learns a SentencePiece Unigram vocabulary (Kudo 2018): from all frequent substrings, expectation
// maximisation of their probabilities alternates with dropping the pieces whose loss the text
// would feel least, until the vocabulary is as small as asked for. Pieces do not cross spaces. The
// result depends on the counts of the words only.
//
//   UnigramTrainer trainer({.vocab_size = 4096});
//   trainer.add(texts);
//   TokenizerSpec spec = trainer.train();   // model "t5"
class UnigramTrainer {
 public:
  // Throws ErrorKind::usage when the vocabulary has no room for what it must have.
  explicit UnigramTrainer(UnigramTrainerOptions options);

  void add(std::span<const std::string_view> texts);
  [[nodiscard]] TokenizerSpec train(const UnigramProgress& progress = {}) const;

 private:
  UnigramTrainerOptions options_;
  std::map<std::string, uint64_t, std::less<>> words_;  // "▁the" -> how often
};

}  // namespace bantam
