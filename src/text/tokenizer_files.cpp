#include "text/tokenizer_files.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "base/json_field.h"
#include "text/hf/tokenizer_json.h"
#include "text/sentencepiece_model.h"
#include "text/tokenizers/word_piece.h"

namespace bantam {

namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxId = 1 << 22;

// A token of tokenizer_config.json: "<s>" or {"content": "<s>", ...}.
std::string token_text(const JsonField& field) {
  return field.is_object() ? field["content"].text() : field.text();
}

int32_t find(const TokenizerSpec& spec, std::string_view token) {
  const auto it = std::ranges::find(spec.tokens, token);
  return it == spec.tokens.end() ? -1 : static_cast<int32_t>(it - spec.tokens.begin());
}

void set_token(TokenizerSpec& spec, const JsonField& field, int64_t id, const std::string& content,
               TokenType type) {
  const auto i = static_cast<size_t>(id);
  if (id < 0 || id >= kMaxId || i > spec.tokens.size() + 65536) {
    field.wrong("an id that follows the vocabulary");
  }
  if (i >= spec.tokens.size()) {
    while (spec.tokens.size() < i) {
      spec.tokens.push_back(fmt::format("[unused{}]", spec.tokens.size()));
    }
    spec.tokens.push_back("");
    spec.types.resize(i + 1, TokenType::unused);
    if (!spec.scores.empty()) spec.scores.resize(i + 1, 0);
  }
  spec.tokens.set(i, content);
  spec.types[i] = type;
}

// {"<extra>": 32000}
void add_tokens(const std::string& path, TokenizerSpec& spec) {
  if (!fs::exists(path)) return;
  const auto document = parse_json(read_text_file(path), path);
  const JsonField root(document, path);
  if (!root.is_object()) root.wrong("an object of tokens and ids");
  for (const auto& [token, unused] : document.items()) {
    set_token(spec, root[token], root[token].integer(), token, TokenType::user_defined);
  }
}

// {"32000": {"content": "<extra>", "special": true, "rstrip": true}}
void add_decoder(const JsonField& field, TokenizerSpec& spec) {
  if (!field) return;
  if (!field.is_object()) field.wrong("an object of ids and tokens");
  for (const auto& [id, unused] : field.json().items()) {
    const JsonField entry = field[id];
    int64_t number = -1;
    if (!id.empty() && id.size() < 10 && id.find_first_not_of("0123456789") == id.npos) {
      number = std::stoll(id);
    }
    const bool special = entry["special"].boolean(false);
    const int32_t known = static_cast<int32_t>(number);
    if (known == spec.unk && known >= 0) continue;
    set_token(spec, entry, number, entry["content"].text(),
              special ? TokenType::control : TokenType::user_defined);
    if (entry["lstrip"].boolean(false)) spec.strip_left.push_back(known);
    if (entry["rstrip"].boolean(false)) spec.strip_right.push_back(known);
  }
  for (auto* ids : {&spec.strip_left, &spec.strip_right}) {
    std::ranges::sort(*ids);
    ids->erase(std::unique(ids->begin(), ids->end()), ids->end());
  }
}

void set_special(const JsonField& field, TokenizerSpec& spec, int32_t& id) {
  if (!field) return;
  const int32_t found = find(spec, token_text(field));
  if (found >= 0) id = found;
}

void apply_config(const JsonField& config, bool has_frame, TokenizerSpec& spec) {
  set_special(config["bos_token"], spec, spec.bos);
  set_special(config["eos_token"], spec, spec.eos);
  set_special(config["pad_token"], spec, spec.pad);
  if (spec.unk < 0) set_special(config["unk_token"], spec, spec.unk);
  // A post-processor says what frames a text; without one the model's kind and these two do.
  const bool bos = has_frame ? spec.add_bos : spec.model == "llama";
  const bool eos = has_frame ? spec.add_eos : spec.model == "t5";
  spec.add_bos = spec.bos >= 0 && config["add_bos_token"].boolean(bos);
  spec.add_eos = spec.eos >= 0 && config["add_eos_token"].boolean(eos);
}

// The pre-tokenisation that a tokenizer's class stands for where only its tables are published.
void set_rules_of_class(const std::string& name, const JsonField& config, TokenizerSpec& spec) {
  spec.pre = "gpt-2";
  if (name.starts_with("Qwen2Tokenizer")) {
    spec.pre = "qwen2";
    spec.normal_form = "nfc";
  } else if (!name.empty() && !name.starts_with("GPT2Tokenizer") &&
             !name.starts_with("CodeGenTokenizer") && !name.starts_with("RobertaTokenizer")) {
    config["tokenizer_class"].wrong(
        "GPT2Tokenizer, CodeGenTokenizer, RobertaTokenizer or Qwen2Tokenizer beside vocab.json");
  }
}

TokenizerSpec read_vocabulary_and_merges(const std::string& folder, const JsonField& config) {
  TokenizerSpec spec;
  spec.model = "gpt2";
  const std::string path = folder + "/vocab.json";
  const auto document = parse_json(read_text_file(path), path);
  const JsonField root(document, path);
  if (!root.is_object()) root.wrong("an object of tokens and ids");
  const auto limit = static_cast<int64_t>(4 * document.size() + 65536);
  std::vector<std::string> tokens;
  for (const auto& [token, id] : document.items()) {
    const int64_t number = id.is_number_integer() ? id.get<int64_t>() : -1;
    if (number < 0 || number >= std::min(limit, kMaxId)) root[token].wrong("an id");
    const auto i = static_cast<size_t>(number);
    if (i >= tokens.size()) tokens.resize(i + 1);
    tokens[i] = token;
  }
  spec.tokens = tokens;
  spec.types.assign(spec.tokens.size(), TokenType::normal);
  std::istringstream merges(read_text_file(folder + "/merges.txt"));
  for (std::string line; std::getline(merges, line);) {
    if (line.ends_with('\r')) line.pop_back();
    if (!line.empty() && !line.starts_with("#version")) spec.merges.push_back(line);
  }
  set_rules_of_class(config["tokenizer_class"].text(""), config, spec);
  return spec;
}

// BERT's vocab.txt: a token on each line, "##" before those that continue a word. GGUF marks the
// others instead.
TokenizerSpec read_word_pieces(const std::string& folder, const JsonField& config) {
  TokenizerSpec spec;
  spec.model = "bert";
  std::istringstream lines(read_text_file(folder + "/vocab.txt"));
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with('\r')) line.pop_back();
    spec.tokens.push_back(line);
  }
  spec.types.assign(spec.tokens.size(), TokenType::normal);
  const auto special = [&](std::string_view key, std::string_view name, int32_t& id) {
    const JsonField given = config[key];
    id = find(spec, given ? token_text(given) : name);
    if (id >= 0) spec.types[static_cast<size_t>(id)] = TokenType::control;
  };
  int32_t mask = -1;
  special("mask_token", "[MASK]", mask);
  special("pad_token", "[PAD]", spec.pad);
  special("cls_token", "[CLS]", spec.bos);
  special("sep_token", "[SEP]", spec.eos);
  special("unk_token", "[UNK]", spec.unk);
  if (spec.unk >= 0) spec.types[static_cast<size_t>(spec.unk)] = TokenType::unknown;
  spec.add_bos = spec.bos >= 0;
  spec.add_eos = spec.eos >= 0;
  spec.lower_case = config["do_lower_case"].boolean(true);
  spec.strip_accents = config["strip_accents"].boolean(spec.lower_case);
  mark_word_starts(spec);
  return spec;
}

std::optional<std::string> existing(const std::string& folder,
                                    std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    std::string path = fmt::format("{}/{}", folder, name);
    if (fs::exists(path)) return path;
  }
  return std::nullopt;
}

}  // namespace

TokenizerSpec read_folder_tokenizer(const std::string& folder) {
  const std::string config_path = folder + "/tokenizer_config.json";
  const auto document = fs::exists(config_path)
                            ? parse_json(read_text_file(config_path), config_path)
                            : nlohmann::json::object();
  const JsonField config(document, config_path);
  TokenizerSpec spec;
  bool has_frame = false;
  if (const auto json = existing(folder, {"tokenizer.json"})) {
    spec = tokenizer_json_for_gguf(read_text_file(*json), *json);
    has_frame = true;
  } else {
    if (const auto model = existing(folder, {"tokenizer.model", "spiece.model"})) {
      spec = read_sentencepiece_model(*model);
    } else if (existing(folder, {"vocab.json"})) {
      spec = read_vocabulary_and_merges(folder, config);
    } else if (existing(folder, {"vocab.txt"})) {
      spec = read_word_pieces(folder, config);
      has_frame = true;
    } else {
      fail(ErrorKind::file, folder,
           "expected tokenizer.json, tokenizer.model, spiece.model, vocab.json or vocab.txt, got "
           "none");
    }
    add_tokens(folder + "/added_tokens.json", spec);
    add_decoder(config["added_tokens_decoder"], spec);
  }
  apply_config(config, has_frame, spec);
  check_tokenizer_spec(spec, folder);
  return spec;
}

TokenizerSpec read_tokenizer_file(const std::string& path) {
  if (fs::is_directory(path)) {
    const std::string json = path + "/tokenizer.json";
    return fs::exists(json) ? parse_tokenizer_json(read_text_file(json), json)
                            : read_folder_tokenizer(path);
  }
  if (path.ends_with(".model")) return read_sentencepiece_model(path);
  return parse_tokenizer_json(read_text_file(path), path);
}

}  // namespace bantam
