#include "models/hf/sentence_transformers.h"

#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "base/json_field.h"
#include "models/model.h"

namespace bantam::hf {

namespace {

namespace fs = std::filesystem;

// Throws for weighted means and several poolings at once.
Pooling read_pooling(const std::string& path) {
  const auto document = parse_json(read_text_file(path), path);
  const JsonField root(document, path);
  Pooling pooling = Pooling::none;
  for (const auto& [name, value] : document.items()) {
    if (!name.starts_with("pooling_mode_") || !root[name].boolean()) continue;
    Pooling named = Pooling::none;
    if (name == "pooling_mode_mean_tokens") named = Pooling::mean;
    if (name == "pooling_mode_cls_token") named = Pooling::first;
    if (name == "pooling_mode_lasttoken") named = Pooling::last;
    if (named == Pooling::none || pooling != Pooling::none) {
      root[name].wrong("one of mean_tokens, cls_token and lasttoken");
    }
    pooling = named;
  }
  return pooling;
}

// "sentence_transformers.models.Pooling" -> "Pooling"
std::string_view kind_of(const std::string& type) {
  return std::string_view(type).substr(type.rfind('.') + 1);
}

void write_modules(const std::string& folder, const std::string& prefix, GgufWriter& out) {
  const std::string path = folder + "/modules.json";
  const auto document = parse_json(read_text_file(path), path);
  bool normalised = false;
  for (const JsonField& module : JsonField(document, path).items()) {
    const std::string_view kind = kind_of(module["type"].text());
    if (kind == "Normalize") normalised = true;
    if (kind == "Pooling") {
      const std::string where = fmt::format("{}/{}/config.json", folder, module["path"].text());
      out.set(prefix + "pooling_type", static_cast<uint32_t>(read_pooling(where)));
    }
    if (kind != "Transformer" && kind != "Normalize" && kind != "Pooling") {
      module["type"].wrong("Transformer, Pooling or Normalize");
    }
  }
  out.set("bantam.embedding.normalise", normalised);
}

}  // namespace

void write_embedding_keys(const std::string& folder, const std::string& prefix, GgufWriter& out) {
  if (fs::exists(folder + "/modules.json")) {
    write_modules(folder, prefix, out);
  } else if (const std::string own = folder + "/1_Pooling/config.json"; fs::exists(own)) {
    out.set(prefix + "pooling_type", static_cast<uint32_t>(read_pooling(own)));
  }
  const std::string path = folder + "/config_sentence_transformers.json";
  if (!fs::exists(path)) return;
  const auto document = parse_json(read_text_file(path), path);
  const JsonField prompts = JsonField(document, path)["prompts"];
  if (!prompts) return;
  if (!prompts.is_object()) prompts.wrong("an object of names and prompts");
  for (const auto& [name, unused] : prompts.json().items()) {
    out.set("bantam.embedding.prompt." + name, prompts[name].text());
  }
}

}  // namespace bantam::hf
