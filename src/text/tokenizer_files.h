#pragma once

#include <string>

#include "text/tokenizer_spec.h"

namespace bantam {

// Reads the tokenizer of a Hugging Face folder, in GGUF's terms where these say it all:
// tokenizer.json, else tokenizer.model or spiece.model, else vocab.json with merges.txt; special
// tokens and what frames a text from tokenizer_config.json and added_tokens.json where these are.
TokenizerSpec read_folder_tokenizer(const std::string& folder);

// A tokenizer as it stands: a tokenizer.json, a SentencePiece .model, or a folder with one.
TokenizerSpec read_tokenizer_file(const std::string& path);

}  // namespace bantam
