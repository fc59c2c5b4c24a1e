#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/error.h"
#include "formats/gguf_writer.h"
#include "models/model.h"
#include "models/old_spellings.h"

namespace bantam {
namespace {

// -1 for an absent id, and for the two ways in which files say "none".
int32_t token_id(const GgufFile& file, std::string_view key, size_t tokens) {
  constexpr int64_t kNone = UINT32_MAX;  // -1 as u32
  const int64_t id = file.integer(key, -1);
  if (id == -1 || id == kNone) return -1;
  if (id < 0 || std::cmp_greater_equal(id, tokens)) {
    file.refuse(key, fmt::format("the id of one of {} tokens or -1", tokens), id);
  }
  return static_cast<int32_t>(id);
}

// Nothing is padded: a wrong id, as some files have, harms nobody.
int32_t padding_id(const GgufFile& file, size_t tokens) {
  const int64_t id = file.integer("tokenizer.ggml.padding_token_id", -1);
  return id >= 0 && std::cmp_less(id, tokens) ? static_cast<int32_t>(id) : -1;
}

// Numbers beyond 32 bits stay wrong instead of being cut to right ones.
int32_t narrow(int64_t number) {
  return static_cast<int32_t>(std::clamp<int64_t>(number, INT32_MIN, INT32_MAX));
}

void read_tables(const GgufFile& file, TokenizerSpec& s) {
  s.tokens = file.strings("tokenizer.ggml.tokens");
  if (file.find("tokenizer.ggml.scores") != nullptr) {
    for (const double x : file.reals("tokenizer.ggml.scores")) {
      s.scores.push_back(static_cast<float>(x));
    }
  }
  if (file.find("tokenizer.ggml.token_type") != nullptr) {
    for (const int64_t t : file.integers("tokenizer.ggml.token_type")) {
      s.types.push_back(static_cast<TokenType>(narrow(t)));
    }
  }
  if (s.model == "gpt2") s.merges = file.strings("tokenizer.ggml.merges");
  if (file.find("tokenizer.ggml.precompiled_charsmap") != nullptr) {
    for (const int64_t byte : file.integers("tokenizer.ggml.precompiled_charsmap")) {
      if (byte < INT8_MIN || byte > UINT8_MAX) {
        file.refuse("tokenizer.ggml.precompiled_charsmap", "bytes", byte);
      }
      s.charsmap.push_back(static_cast<char>(byte));
    }
  }
}

// Phi-3's special tokens swallow the white space after them, which no GGUF key says; other runtimes
// go by the model's name too.
std::vector<int32_t> phi3_strip_right(const GgufFile& file, const TokenizerSpec& s) {
  std::string name = file.text("general.name", "");
  std::ranges::transform(name, name.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  });
  std::vector<int32_t> ids;
  if (name.find("phi-3") == name.npos && name.find("phi3") == name.npos) return ids;
  for (size_t i = 0; i < s.types.size() && i < s.tokens.size(); ++i) {
    const bool special = s.types[i] == TokenType::control || s.types[i] == TokenType::user_defined;
    const std::string_view t = s.tokens[i];
    if (special && t != "<unk>" && t != "<s>" && t != "<|endoftext|>") {
      ids.push_back(static_cast<int32_t>(i));
    }
  }
  return ids;
}

std::vector<int32_t> read_ids(const GgufFile& file, std::string_view key) {
  std::vector<int32_t> ids;
  for (const int64_t id : file.integers(key)) ids.push_back(narrow(id));
  return ids;
}

}  // namespace

TokenizerSpec read_tokenizer(const GgufFile& file) {
  TokenizerSpec s;
  s.model = file.text("tokenizer.ggml.model");
  s.pre = file.text("tokenizer.ggml.pre", "");
  read_tables(file, s);
  if (s.model == "gpt2" && s.pre.empty()) s.pre = guess_pre_tokenizer(s);
  const bool llama = s.model == "llama";
  const bool bert = s.model == "bert";
  const bool t5 = s.model == "t5";
  const auto id = [&](std::string_view key) { return token_id(file, key, s.tokens.size()); };
  s.bos = id("tokenizer.ggml.bos_token_id");
  s.eos = id("tokenizer.ggml.eos_token_id");
  s.unk = id("tokenizer.ggml.unknown_token_id");
  // A T5 begins to write with it.
  s.pad = t5 ? id("tokenizer.ggml.padding_token_id") : padding_id(file, s.tokens.size());
  // What else ends a reply is read by ChatFormat.
  for (const char* key : {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    static_cast<void>(id(key));
  }
  if (bert) {
    // What frames the text; the key of the separator is misspelled in the specification.
    if (const int32_t cls = id("tokenizer.ggml.cls_token_id"); cls >= 0) s.bos = cls;
    if (const int32_t sep = id("tokenizer.ggml.seperator_token_id"); sep >= 0) s.eos = sep;
  }
  s.add_bos = file.boolean("tokenizer.ggml.add_bos_token", llama || (bert && s.bos >= 0));
  s.add_eos = file.boolean("tokenizer.ggml.add_eos_token", t5 || (bert && s.eos >= 0));
  s.add_space_prefix = file.boolean("tokenizer.ggml.add_space_prefix", llama || t5);
  s.remove_extra_spaces = file.boolean("tokenizer.ggml.remove_extra_whitespaces", false);
  s.space_suffix = file.boolean("bantam.tokenizer.space_suffix", false);
  s.lower_case = file.boolean("tokenizer.ggml.normalizer.lowercase", true);
  s.strip_accents = file.boolean("tokenizer.ggml.normalizer.strip_accents", s.lower_case);
  s.normal_form = file.text("bantam.tokenizer.normal_form", "");
  s.json = file.text("tokenizer.huggingface.json", "");
  const bool knows_strips = file.find("bantam.tokenizer.strip_right") != nullptr;
  if (knows_strips) {
    s.strip_left = read_ids(file, "bantam.tokenizer.strip_left");
    s.strip_right = read_ids(file, "bantam.tokenizer.strip_right");
  } else {
    s.strip_right = phi3_strip_right(file, s);
  }
  return s;
}

void write_tokenizer(const TokenizerSpec& s, GgufWriter& out) {
  out.set("tokenizer.ggml.model", s.model);
  const char* otherwise = s.model == "gpt2" ? "gpt-2" : "default";
  out.set("tokenizer.ggml.pre", s.pre.empty() ? std::string(otherwise) : s.pre);
  out.set("tokenizer.ggml.tokens", GgufArray(s.tokens));
  if (!s.scores.empty()) out.set("tokenizer.ggml.scores", GgufArray(s.scores));
  if (!s.types.empty()) {
    std::vector<int32_t> types;
    types.reserve(s.types.size());
    for (const TokenType t : s.types) types.push_back(static_cast<int32_t>(t));
    out.set("tokenizer.ggml.token_type", GgufArray(types));
  }
  if (!s.merges.empty() || s.model == "gpt2") out.set("tokenizer.ggml.merges", GgufArray(s.merges));
  const auto id = [&](std::string_view key, int32_t value) {
    if (value >= 0) out.set(key, static_cast<uint32_t>(value));
  };
  id("tokenizer.ggml.bos_token_id", s.bos);
  id("tokenizer.ggml.eos_token_id", s.eos);
  id("tokenizer.ggml.unknown_token_id", s.unk);
  id("tokenizer.ggml.padding_token_id", s.pad);
  if (s.model == "bert") {
    id("tokenizer.ggml.cls_token_id", s.bos);
    id("tokenizer.ggml.seperator_token_id", s.eos);
    out.set("tokenizer.ggml.normalizer.lowercase", s.lower_case);
    out.set("tokenizer.ggml.normalizer.strip_accents", s.strip_accents);
  }
  out.set("tokenizer.ggml.add_bos_token", s.add_bos);
  out.set("tokenizer.ggml.add_eos_token", s.add_eos);
  out.set("tokenizer.ggml.add_space_prefix", s.add_space_prefix);
  if (s.remove_extra_spaces) out.set("tokenizer.ggml.remove_extra_whitespaces", true);
  if (s.space_suffix) out.set("bantam.tokenizer.space_suffix", true);
  if (!s.charsmap.empty()) {
    const std::vector<uint8_t> bytes(s.charsmap.begin(), s.charsmap.end());
    out.set("tokenizer.ggml.precompiled_charsmap", GgufArray(bytes));
  }
  if (!s.normal_form.empty()) out.set("bantam.tokenizer.normal_form", s.normal_form);
  if (!s.strip_left.empty() || !s.strip_right.empty()) {
    out.set("bantam.tokenizer.strip_left", GgufArray(s.strip_left));
    out.set("bantam.tokenizer.strip_right", GgufArray(s.strip_right));
  }
  if (!s.json.empty()) out.set("tokenizer.huggingface.json", s.json);
}

}  // namespace bantam
