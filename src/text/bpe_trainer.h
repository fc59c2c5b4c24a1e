#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/thread_pool.h"
#include "text/tokenizer_spec.h"
#include "text/tokenizers/pretokenizers.h"
#include "text/tokenizers/special_matcher.h"

namespace bantam {

struct BpeTrainerOptions {
  int32_t vocab_size = 8192;  // 256 bytes, the merged tokens and the special ones together
  // Control tokens, last in the vocabulary; the first becomes BOS and EOS. Where the text has them
  // they separate documents and are not learned from.
  std::vector<std::string> special_tokens = {"<|endoftext|>"};
  std::string pre = "gpt-2";   // pre-tokenisation rule
  uint64_t min_frequency = 2;  // pairs that occur less often are not merged
};

// Called now and then with the merges found and wanted; may throw to stop the training.
using BpeProgress = std::function<void(int64_t done, int64_t total)>;

// Learns a byte-level BPE vocabulary (Sennrich et al. 2016, Radford et al. 2019): the most frequent
// pair of neighbouring tokens within words becomes a token, again and again. Of equally frequent
// pairs the one with the smaller ids goes first, so the result depends on the word counts only.
//
//   BpeTrainer trainer({.vocab_size = 4096});
//   for (...) trainer.add(documents, pool);   // texts may be dropped afterwards
//   TokenizerSpec spec = trainer.train();
//
// The vocabulary stays smaller than asked for when no frequent pairs are left.
class BpeTrainer {
 public:
  // Throws ErrorKind::usage for an unknown rule, or when the vocabulary has no room for the bytes
  // and the special tokens.
  explicit BpeTrainer(BpeTrainerOptions options);

  // Counts the words of some texts, in parallel.
  void add(std::span<const std::string_view> texts, ThreadPool& pool);

  [[nodiscard]] TokenizerSpec train(const BpeProgress& progress = {}) const;

 private:
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const;
  };

  BpeTrainerOptions options_;
  const PreTokenizer* pre_;
  SpecialMatcher specials_;
  std::unordered_map<std::string, uint64_t, TextHash, std::equal_to<>> words_;
};

// All of it for texts that are in memory at once.
TokenizerSpec train_bpe(std::span<const std::string_view> texts, BpeTrainerOptions options,
                        ThreadPool& pool, const BpeProgress& progress = {});

}  // namespace bantam
