#include "models/import_hf.h"

#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "models/hf/sentence_transformers.h"
#include "models/hf/t5.h"
#include "models/hf/weights.h"
#include "models/model.h"
#include "text/tokenizer_files.h"

namespace bantam {

namespace {

namespace fs = std::filesystem;

nlohmann::json read_json(const std::string& path) {
  return parse_json(read_text_file(path), path);
}

// Models with vision keep the configuration of their text part apart.
JsonField text_config(const JsonField& root) {
  return root["text_config"] ? root["text_config"] : root;
}

void write_chat_template(const std::string& folder, GgufWriter& out) {
  const std::string own = folder + "/chat_template.jinja";
  if (fs::exists(own)) return out.set("tokenizer.chat_template", read_text_file(own));
  const std::string path = folder + "/tokenizer_config.json";
  if (!fs::exists(path)) return;
  const auto document = read_json(path);
  const JsonField field = JsonField(document, path)["chat_template"];
  if (field.is_text()) return out.set("tokenizer.chat_template", field.text());
  for (const JsonField& entry : field.items()) {
    const std::string& name = entry["name"].text();
    const std::string key = name == "default" ? "" : "." + name;
    out.set("tokenizer.chat_template" + key, entry["template"].text());
  }
}

// Ids that end a reply, in the order in which the files name them.
std::vector<int64_t> end_tokens(const std::string& folder, const JsonField& config) {
  std::vector<int64_t> ids;
  const auto add = [&ids](const JsonField& field) {
    if (field.is_array()) {
      for (const JsonField& id : field.items()) ids.push_back(id.integer());
    } else if (field) {
      ids.push_back(field.integer());
    }
  };
  const std::string path = folder + "/generation_config.json";
  if (fs::exists(path)) {
    const auto document = read_json(path);
    add(JsonField(document, path)["eos_token_id"]);
  }
  add(config["eos_token_id"]);
  return ids;
}

void write_tokenizer_of(const std::string& folder, const JsonField& config, GgufWriter& out) {
  TokenizerSpec spec = read_folder_tokenizer(folder);
  const auto within = [&](int64_t id) {
    return id >= 0 && id < static_cast<int64_t>(spec.tokens.size());
  };
  const std::vector<int64_t> ends = end_tokens(folder, config);
  for (const int64_t id : ends) {
    if (spec.eos < 0 && within(id)) spec.eos = static_cast<int32_t>(id);
  }
  const JsonField bos = config["bos_token_id"];
  if (spec.bos < 0 && bos && within(bos.integer())) spec.bos = static_cast<int32_t>(bos.integer());
  // Embedding tables are often padded; other runtimes want a token for each row.
  const int64_t rows = config["vocab_size"].integer();
  if (rows > int64_t{1} << 22) config["vocab_size"].wrong("at most 4,194,304");
  if (static_cast<int64_t>(spec.tokens.size()) > rows) {
    fail(ErrorKind::model, folder, "expected at most {} tokens (vocab_size), got {}", rows,
         spec.tokens.size());
  }
  for (auto id = spec.tokens.size(); spec.json.empty() && static_cast<int64_t>(id) < rows; ++id) {
    spec.tokens.push_back(fmt::format("[PAD{}]", id));
    if (!spec.types.empty()) spec.types.push_back(TokenType::unused);
    if (!spec.scores.empty()) spec.scores.push_back(0);
  }
  write_tokenizer(spec, out);
  for (const int64_t id : ends) {
    if (id == spec.eos || !within(id)) continue;
    out.set("tokenizer.ggml.eot_token_id", static_cast<uint32_t>(id));
    break;
  }
}

// What is wrong with the file that was to become the model is wrong with the folder.
Error about_folder(const Error& error, const std::string& partial, const std::string& folder) {
  const std::string message = error.what(), where = fmt::format("[{}] ", partial);
  if (!message.starts_with(where)) return error;
  return {error.kind(),
          fmt::format("[{}] in GGUF's names: {}", folder, message.substr(where.size()))};
}

}  // namespace

GgufWriter hf_folder_to_gguf(const std::string& folder, std::optional<DType> type) {
  const std::string path = folder + "/config.json";
  const auto document = read_json(path);
  const JsonField config = text_config(JsonField(document, path));
  GgufWriter out;
  out.set("general.architecture",
          std::string(hf::is_t5(config) ? "t5" : hf::find_family(config).gguf));
  out.set("general.name", fs::path(folder).lexically_normal().filename().string());
  out.set("general.quantization_version", uint32_t{2});
  if (hf::is_t5(config)) {
    hf::write_t5(config, SafetensorsFolder::open(folder), type, out);
    write_tokenizer_of(folder, config, out);
    return out;
  }
  const hf::Family& family = hf::find_family(config);
  const SafetensorsFolder tensors = SafetensorsFolder::open(folder);
  hf::write_keys(family, config, out);
  if (family.encoder) hf::write_embedding_keys(folder, std::string(family.gguf) + ".", out);
  write_tokenizer_of(folder, config, out);
  write_chat_template(folder, out);
  hf::add_weights(family, config, tensors, type, out);
  return out;
}

void import_hf(const std::string& folder, const std::string& path, std::optional<DType> type) {
  const GgufWriter out = hf_folder_to_gguf(folder, type);
  const std::string partial = path + ".partial";
  try {
    out.write(partial);
    (void)load_model(partial);
    fs::rename(partial, path);
  } catch (const Error& error) {
    std::error_code ignored;
    fs::remove(partial, ignored);
    throw about_folder(error, partial, folder);
  } catch (...) {
    std::error_code ignored;
    fs::remove(partial, ignored);
    throw;
  }
}

}  // namespace bantam
