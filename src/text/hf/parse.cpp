#include "base/error.h"
#include "text/hf/parse_parts.h"

namespace bantam::hf {

namespace {

using Json = JsonField::Json;

constexpr int64_t kMaxId = 1 << 22;

// Ids may have gaps, but not so many that the file asks for more memory than it is worth.
void check_id(const JsonField& field, std::string_view token, int64_t id, size_t count) {
  const int64_t limit = std::min<int64_t>(kMaxId, 4 * static_cast<int64_t>(count) + 65536);
  if (id < 0 || id >= limit) {
    fail(ErrorKind::format, field.file(), "{}: token \"{}\": expected an id below {}, got {}",
         field.path(), token, limit, id);
  }
}

void set_token(Model& m, int64_t id, const std::string& token) {
  const auto i = static_cast<size_t>(id);
  if (i >= m.tokens.size()) {
    m.tokens.resize(i + 1);
    m.known.resize(i + 1);
  }
  m.tokens[i] = token;
  m.known[i] = true;
}

// {"token": id, ...}
void parse_vocabulary(const JsonField& field, Model& m) {
  if (!field.is_object()) field.wrong("an object of tokens and ids");
  for (const auto& [token, id] : field.json().items()) {
    if (!id.is_number_integer()) field[token].wrong("an id");
    check_id(field, token, id.get<int64_t>(), field.json().size());
    set_token(m, id.get<int64_t>(), token);
  }
}

// [["token", score], ...]
void parse_scored_vocabulary(const JsonField& field, Model& m) {
  if (!field.is_array()) field.wrong("an array of tokens with scores");
  for (const Json& entry : field.json()) {
    const bool fits = entry.is_array() && entry.size() == 2 && entry[0].is_string() &&
                      entry[1].is_number() && m.tokens.size() < kMaxId;
    if (!fits) field.wrong(fmt::format("a token and its score as entry {}", m.tokens.size()));
    m.tokens.push_back(entry[0].get<std::string>());
    m.scores.push_back(entry[1].get<double>());
  }
  m.known.assign(m.tokens.size(), true);
}

// "a b" or ["a", "b"]
std::pair<std::string, std::string> parse_merge(const JsonField& field, const Json& merge,
                                                size_t index) {
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
    return {merge[0].get<std::string>(), merge[1].get<std::string>()};
  }
  if (merge.is_string()) {
    const auto& text = merge.get_ref<const std::string&>();
    const size_t space = text.find(' ');
    if (space != text.npos && text.find(' ', space + 1) == text.npos) {
      return {text.substr(0, space), text.substr(space + 1)};
    }
  }
  field.wrong(fmt::format("two tokens as merge {}", index));
}

int32_t find_token(const Model& m, const JsonField& name) {
  if (!name) return -1;
  for (size_t i = 0; i < m.tokens.size(); ++i) {
    if (m.known[i] && m.tokens[i] == name.text()) return static_cast<int32_t>(i);
  }
  return -1;
}

// Files of old omit the type.
std::string model_type(const JsonField& field) {
  if (field["type"]) return field["type"].text();
  if (field["vocab"].is_array()) return "Unigram";
  if (field["merges"]) return "BPE";
  return field["continuing_subword_prefix"] ? "WordPiece" : "WordLevel";
}

}  // namespace

Model parse_model(const JsonField& field) {
  Model m;
  const std::string type = model_type(field);
  if (type == "Unigram") {
    m.kind = Model::Kind::unigram;
    parse_scored_vocabulary(field["vocab"], m);
    const int64_t unk = field["unk_id"].integer(-1);
    if (unk >= static_cast<int64_t>(m.tokens.size())) field["unk_id"].wrong("the id of a token");
    m.unk = static_cast<int32_t>(unk);
    m.byte_fallback = field["byte_fallback"].boolean(false);
    return m;
  }
  parse_vocabulary(field["vocab"], m);
  m.unk = find_token(m, field["unk_token"]);
  if (type == "BPE") {
    m.byte_fallback = field["byte_fallback"].boolean(false);
    m.fuse_unk = field["fuse_unk"].boolean(false);
    m.ignore_merges = field["ignore_merges"].boolean(false);
    m.continuing_prefix = field["continuing_subword_prefix"].text("");
    m.end_suffix = field["end_of_word_suffix"].text("");
    if (!field["merges"].is_array()) field["merges"].wrong("an array");
    for (const Json& merge : field["merges"].json()) {
      m.merges.push_back(parse_merge(field["merges"], merge, m.merges.size()));
    }
  } else if (type == "WordPiece") {
    m.kind = Model::Kind::word_piece;
    m.continuing_prefix = field["continuing_subword_prefix"].text("##");
    m.longest_word = field["max_input_chars_per_word"].integer(100);
  } else if (type == "WordLevel") {
    m.kind = Model::Kind::word_level;
  } else {
    field["type"].wrong("one of BPE, Unigram, WordPiece, WordLevel");
  }
  return m;
}

std::vector<AddedToken> parse_added_tokens(const JsonField& field) {
  std::vector<AddedToken> added;
  for (const JsonField& f : field.items()) {
    AddedToken t;
    t.content = f["content"].text();
    t.special = f["special"].boolean(false);
    t.single_word = f["single_word"].boolean(false);
    t.lstrip = f["lstrip"].boolean(false);
    t.rstrip = f["rstrip"].boolean(false);
    t.normalized = f["normalized"].boolean(!t.special);
    const int64_t id = f["id"].integer();
    if (id < 0 || id >= kMaxId) f["id"].wrong(fmt::format("an id below {}", kMaxId));
    t.id = static_cast<int32_t>(id);
    added.push_back(std::move(t));
  }
  return added;
}

Description parse_description(std::string_view json, std::string_view file) {
  const Json document = parse_json(json, file);
  const JsonField root(document, file);
  Description d;
  d.normalisers = parse_normalisers(root["normalizer"]);
  d.pre_tokenizers = parse_pre_tokenizers(root["pre_tokenizer"]);
  if (!root["model"]) root["model"].wrong("an object");
  d.model = parse_model(root["model"]);
  d.added = parse_added_tokens(root["added_tokens"]);
  d.decoders = parse_decoders(root["decoder"]);
  parse_post_processor(root["post_processor"], d);

  Model& m = d.model;
  const size_t count = m.tokens.size() + d.added.size();
  for (const AddedToken& t : d.added) {
    check_id(root["added_tokens"], t.content, t.id, count);
    const auto i = static_cast<size_t>(t.id);
    if (i >= m.tokens.size()) {
      m.tokens.resize(i + 1);
      m.known.resize(i + 1);
    }
    if (!m.known[i]) m.tokens[i] = t.content;
  }
  m.scores.resize(m.kind == Model::Kind::unigram ? m.tokens.size() : 0);
  for (const auto* frame : {&d.before, &d.after}) {
    for (const int32_t id : *frame) {
      if (id >= 0 && static_cast<size_t>(id) < m.tokens.size()) continue;
      root["post_processor"].wrong(fmt::format("ids below {}, not {}", m.tokens.size(), id));
    }
  }
  return d;
}

}  // namespace bantam::hf
