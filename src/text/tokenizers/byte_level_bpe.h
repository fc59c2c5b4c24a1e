#pragma once

#include <array>

#include "text/tokenizer.h"
#include "text/tokenizers/merge.h"
#include "text/tokenizers/merge_table.h"
#include "text/tokenizers/pretokenizers.h"
#include "text/tokenizers/word_cache.h"

namespace bantam {

// Byte-level BPE (Radford et al. 2019, GGUF model "gpt2"): the text is cut into words by the
// pre-tokeniser, each word starts as one symbol per byte, and neighbours merge in the order of the
// merge list.
class ByteLevelBpe final : public Tokenizer {
 public:
  // The specification must have passed check_tokenizer_spec.
  ByteLevelBpe(TokenizerSpec spec, std::string_view where);

 private:
  void encode_plain(std::string_view text, std::vector<int32_t>& out) const override;
  void encode_word(std::string_view word, SymbolMerger& merger, std::vector<int32_t>& out) const;
  void read_merges(std::string_view where);

  const PreTokenizer& pre_;
  std::array<int32_t, 256> byte_tokens_;
  MergeTable merges_;
  WordCache cache_;
};

}  // namespace bantam
