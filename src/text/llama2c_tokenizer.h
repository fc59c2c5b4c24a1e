#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "text/tokenizer_spec.h"

namespace bantam {

// Reads llama2.c's `tokenizer.bin`, which holds no count, so that the caller gives it (the model's
// vocabulary): i32 max_token_length, then for each token f32 score, i32 length and its bytes, all
// little-endian. Tokens 0, 1, 2 are <unk>, <s>, </s>. Throws ErrorKind::format when the file does
// not hold exactly that many tokens.
TokenizerSpec read_llama2c_tokenizer(const std::string& path, int32_t vocab_size);

// The same from memory; `name` stands for the file in messages.
TokenizerSpec parse_llama2c_tokenizer(std::span<const std::byte> bytes, int32_t vocab_size,
                                      std::string_view name);

}  // namespace bantam
