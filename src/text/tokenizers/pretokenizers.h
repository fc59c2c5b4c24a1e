#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bantam {

// One pass of pre-tokenisation: the end of the piece that starts at `position` (always further
// on). Matches of the stage's pattern and the gaps between them are pieces alike; the end of `text`
// is the end of the string to its look-ahead. A whole pass over a text takes linear time.
using SplitStage = size_t (*)(std::string_view text, size_t position);

// A pre-tokenisation rule as GGUF names it in `tokenizer.ggml.pre`. Each stage splits the pieces of
// the one before.
struct PreTokenizer {
  std::string_view name;
  std::span<const SplitStage> stages;
  // Words that are tokens themselves are taken whole, without following the merges (Llama 3).
  bool ignore_merges = false;
};

// The rule with this name or one of its aliases; nullptr when it is unknown.
const PreTokenizer* find_pre_tokenizer(std::string_view name);

// The stage that does what a regular expression of a tokenizer.json says; nullptr when this one is
// not known.
SplitStage find_split_stage(std::string_view pattern);

// The first rule that has these stages; empty if none does.
std::string_view pre_tokenizer_name(std::span<const SplitStage> stages, bool ignore_merges);

// All names that find_pre_tokenizer knows.
std::vector<std::string_view> pre_tokenizer_names();

// Calls emit(std::string_view word) for each word in order; the words make up the whole text.
template <typename Emit>
void for_each_word(std::span<const SplitStage> stages, std::string_view text, Emit&& emit) {
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = stages[0](text, begin);
    const std::string_view piece = text.substr(begin, end - begin);
    if (stages.size() == 1) {
      emit(piece);
    } else {
      for_each_word(stages.subspan(1), piece, emit);
    }
    begin = end;
  }
}

}  // namespace bantam
