#include "base/error.h"
#include "formats/gguf_writer.h"
#include "models/model.h"

namespace bantam {
namespace {

int32_t token_id(const GgufFile& file, std::string_view key, size_t tokens) {
  const int64_t id = file.integer(key, -1);
  // Some files mark "none" by an id outside the vocabulary.
  return id >= 0 && id < static_cast<int64_t>(tokens) ? static_cast<int32_t>(id) : -1;
}

}  // namespace

TokenizerSpec read_tokenizer(const GgufFile& file) {
  TokenizerSpec s;
  s.model = file.text("tokenizer.ggml.model");
  s.pre = file.text("tokenizer.ggml.pre", "");
  const auto tokens = file.strings("tokenizer.ggml.tokens");
  s.tokens.assign(tokens.begin(), tokens.end());
  if (file.find("tokenizer.ggml.scores") != nullptr) {
    for (const double x : file.reals("tokenizer.ggml.scores")) {
      s.scores.push_back(static_cast<float>(x));
    }
  }
  if (file.find("tokenizer.ggml.token_type") != nullptr) {
    for (const int64_t t : file.integers("tokenizer.ggml.token_type")) {
      s.types.push_back(static_cast<TokenType>(t));
    }
  }
  if (s.model == "gpt2") {
    const auto merges = file.strings("tokenizer.ggml.merges");
    s.merges.assign(merges.begin(), merges.end());
  }
  const bool llama = s.model == "llama";
  s.bos = token_id(file, "tokenizer.ggml.bos_token_id", s.tokens.size());
  s.eos = token_id(file, "tokenizer.ggml.eos_token_id", s.tokens.size());
  s.unk = token_id(file, "tokenizer.ggml.unknown_token_id", s.tokens.size());
  s.pad = token_id(file, "tokenizer.ggml.padding_token_id", s.tokens.size());
  s.add_bos = file.boolean("tokenizer.ggml.add_bos_token", llama);
  s.add_eos = file.boolean("tokenizer.ggml.add_eos_token", false);
  s.add_space_prefix = file.boolean("tokenizer.ggml.add_space_prefix", llama);
  return s;
}

void write_tokenizer(const TokenizerSpec& s, GgufWriter& out) {
  out.set("tokenizer.ggml.model", s.model);
  out.set("tokenizer.ggml.pre", s.pre.empty() ? std::string("gpt-2") : s.pre);
  out.set("tokenizer.ggml.tokens", GgufArray(s.tokens));
  if (!s.scores.empty()) out.set("tokenizer.ggml.scores", GgufArray(s.scores));
  if (!s.types.empty()) {
    std::vector<int32_t> types;
    for (const TokenType t : s.types) types.push_back(static_cast<int32_t>(t));
    out.set("tokenizer.ggml.token_type", GgufArray(types));
  }
  if (!s.merges.empty()) out.set("tokenizer.ggml.merges", GgufArray(s.merges));
  const auto id = [&](std::string_view key, int32_t value) {
    if (value >= 0) out.set(key, static_cast<uint32_t>(value));
  };
  id("tokenizer.ggml.bos_token_id", s.bos);
  id("tokenizer.ggml.eos_token_id", s.eos);
  id("tokenizer.ggml.unknown_token_id", s.unk);
  id("tokenizer.ggml.padding_token_id", s.pad);
  out.set("tokenizer.ggml.add_bos_token", s.add_bos);
  out.set("tokenizer.ggml.add_eos_token", s.add_eos);
  out.set("tokenizer.ggml.add_space_prefix", s.add_space_prefix);
}

}  // namespace bantam
