#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bantam {

// What a token is for; the numbers are GGUF's `tokenizer.ggml.token_type`.
enum class TokenType : int32_t {
  normal = 1,
  unknown = 2,
  control = 3,       // <s>, <|endoftext|>: never part of the text
  user_defined = 4,  // taken whole wherever the text has it
  unused = 5,
  byte = 6,  // <0x0A>: one raw byte
};

// Everything that GGUF stores about a tokenizer, as plain data.
struct TokenizerSpec {
  std::string model;                // "gpt2": byte-level BPE; "llama": SentencePiece BPE
  std::string pre;                  // gpt2: the pre-tokenisation rule; empty means "gpt-2"
  std::vector<std::string> tokens;  // as GGUF spells them: "Ġthe" (gpt2), "▁the" (llama)
  std::vector<float> scores;     // llama: one per token, the higher merges first; else may be empty
  std::vector<TokenType> types;  // one per token; empty means all normal
  std::vector<std::string> merges;                 // gpt2: "Ġ t", most important first
  int32_t bos = -1, eos = -1, unk = -1, pad = -1;  // token ids, -1 for none
  bool add_bos = false, add_eos = false;           // what encode() puts around a text
  bool add_space_prefix = false;  // a space goes before the text, and after each special token

  bool operator==(const TokenizerSpec&) const = default;
};

// Throws ErrorKind::format unless the tables agree in size, ids lie in range, merges refer to
// tokens and nothing is absurdly large. `where` names the file in the message.
void check_tokenizer_spec(const TokenizerSpec& spec, std::string_view where = "tokenizer");

// A 64-bit fingerprint (FNV-1a over every field), the same on every machine and in every version.
uint64_t hash(const TokenizerSpec& spec);

}  // namespace bantam
