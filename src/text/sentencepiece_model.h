#pragma once

#include <string>
#include <string_view>

#include "text/tokenizer_spec.h"

namespace bantam {

// Reads SentencePiece's `tokenizer.model` (spiece.model): the protocol buffer ModelProto of
// sentencepiece_model.proto with a BPE or a Unigram model. The vocabulary is kept as it is; what
// frames a text is left to the caller (add_bos and add_eos are false). Throws ErrorKind::format.
TokenizerSpec read_sentencepiece_model(const std::string& path);

// The same from memory; `name` stands for the file in messages.
TokenizerSpec parse_sentencepiece_model(std::string_view bytes, std::string_view name);

}  // namespace bantam
