#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/string_table.h"

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
  // "gpt2": byte-level BPE; "llama": SentencePiece BPE; "t5": SentencePiece Unigram; "bert":
  // WordPiece; "tokenizer.json": whatever the field `json` describes.
  std::string model;
  std::string pre;            // gpt2: the pre-tokenisation rule; empty means "gpt-2"
  StringTable tokens;         // as GGUF spells them: "Ġthe" (gpt2), "▁the" (the others)
  std::vector<float> scores;  // llama, t5: one per token, the higher is better; else may be empty
  std::vector<TokenType> types;                    // one per token; empty means all normal
  StringTable merges;                              // gpt2: "Ġ t", most important first
  int32_t bos = -1, eos = -1, unk = -1, pad = -1;  // token ids, -1 for none; bert: [CLS] and [SEP]
  bool add_bos = false, add_eos = false;           // what encode() puts around a text
  bool add_space_prefix = false;     // a space goes before the text, and after each special token
  bool remove_extra_spaces = false;  // llama, t5: spaces at the ends go, others become one
  bool space_suffix = false;         // t5: the space of add_space_prefix goes after the text
  bool lower_case = true;            // bert
  bool strip_accents = true;         // bert
  std::string charsmap;              // llama, t5: SentencePiece's compiled normalisation, or empty
  std::string normal_form;           // gpt2: "nfc", ... is applied to the text first; or empty
  // Special tokens that swallow the white space to their left or right, in ascending order.
  std::vector<int32_t> strip_left, strip_right;
  std::string json;  // tokenizer.json: the file

  bool operator==(const TokenizerSpec&) const = default;
};

// The models above.
bool is_tokenizer_model(std::string_view model);

// Throws ErrorKind::format unless the tables agree in size, ids lie in range, merges refer to
// tokens and nothing is absurdly large. `where` names the file in the message.
void check_tokenizer_spec(const TokenizerSpec& spec, std::string_view where = "tokenizer");

// A 64-bit fingerprint (FNV-1a over every field), the same on every machine and in every version.
uint64_t hash(const TokenizerSpec& spec);

}  // namespace bantam
