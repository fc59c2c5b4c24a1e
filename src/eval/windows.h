#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "models/model.h"
#include "text/tokenizer.h"

namespace bantam {

// A text as tokens, and what each of them stands for in the text.
struct TokenText {
  std::vector<int32_t> ids;
  std::vector<int32_t> bytes;   // of each token; empty if unknown
  std::vector<int32_t> words;   // that begin within each token; empty if unknown
  std::vector<int32_t> source;  // of an encoder-decoder: what the text is written from
};

// Without BOS or EOS, and without reading control tokens out of the text.
TokenText token_text(const Tokenizer& tokenizer, std::string_view text);

// Reads files to measure a model on, ".zst" or plain. Lines that hold only "<|endoftext|>" part a
// file into texts; a file without one is a single text, whatever its length. Text is taken as it
// is. For an encoder-decoder the files hold pairs (data/pairs.h): the texts are the targets, each
// with its end. Throws ErrorKind::model if the model has no tokenizer.
std::vector<TokenText> read_texts(const Model& model, std::span<const std::string> paths);

// A stretch of text that a model sees at once.
struct Window {
  std::vector<int32_t> inputs;
  std::vector<int32_t> source;   // the text's
  std::vector<int32_t> targets;  // what follows each input; -1 where an earlier window counted it
  int64_t scored = 0;            // targets that count, and the bytes and words that they make up
  int64_t bytes = 0, words = 0;
};

// Cuts a text into windows of at most `context` inputs. Each shows `stride` new targets (the first
// one more), the rest of its inputs repeat the text before; every token of the text is the target
// of one window, but for the first where there is no `bos` (-1) to follow.
// 1 <= stride <= context.
std::vector<Window> make_windows(const TokenText& text, int64_t context, int64_t stride,
                                 int32_t bos);

}  // namespace bantam
