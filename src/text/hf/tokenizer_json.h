#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "text/tokenizer.h"

namespace bantam {

// A Hugging Face tokenizer.json as it stands (model "tokenizer.json"). Everything in it is carried
// out: normalizers, pre-tokenizers, models, added tokens, decoders and, for single texts, the
// post-processor. Throws ErrorKind::format with the path of the field that is wrong.
TokenizerSpec parse_tokenizer_json(std::string_view json, std::string_view file);

// The same in GGUF's own terms ("gpt2", "llama", "t5", "bert") where these say all that the file
// says, so that other runtimes understand it too; else the file as it stands.
TokenizerSpec tokenizer_json_for_gguf(std::string_view json, std::string_view file);

// For make_tokenizer.
std::unique_ptr<Tokenizer> make_json_tokenizer(TokenizerSpec spec, std::string_view where);

}  // namespace bantam
