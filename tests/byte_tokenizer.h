#pragma once

#include <cstdint>
#include <cstdio>

#include "text/tokenizer.h"

namespace bantam {

inline constexpr int64_t kByteVocabulary = 3 + 256;

// Bytes are its tokens.
inline TokenizerSpec byte_tokenizer() {
  TokenizerSpec spec;
  spec.model = "llama";
  spec.tokens = {"<unk>", "<s>", "</s>"};
  spec.types = {TokenType::unknown, TokenType::control, TokenType::control};
  for (int i = 0; i < 256; ++i) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", static_cast<unsigned>(i));
    spec.tokens.push_back(name);
    spec.types.push_back(TokenType::byte);
  }
  spec.scores.assign(spec.tokens.size(), 0);
  spec.unk = 0;
  spec.bos = 1;
  spec.eos = 2;
  spec.add_bos = true;
  return spec;
}

}  // namespace bantam
