#include "runtime/embedder.h"

#include <cmath>

#include "base/error.h"

namespace bantam {
namespace {

// A text is one run.
EngineOptions engine_options(const Model& model, const EmbedOptions& o) {
  if (model.config.causal) {
    fail(ErrorKind::model, model.name, "expected an encoder (bert), got \"{}\"",
         model.config.architecture);
  }
  EngineOptions e;
  e.threads = o.threads;
  e.context = o.context > 0 ? o.context : model.config.context_length;
  e.batch = e.context;
  e.all_logits = true;
  e.cache_type = DType::f32;
  return e;
}

// rows: [n, C]
std::vector<float> pool(std::span<const float> rows, int64_t columns, Pooling pooling) {
  const auto C = static_cast<size_t>(columns);
  if (pooling == Pooling::first) return {rows.begin(), rows.begin() + columns};
  if (pooling == Pooling::last) return {rows.end() - columns, rows.end()};
  std::vector<float> mean(C);
  for (size_t i = 0; i < rows.size(); ++i) mean[i % C] += rows[i];
  const size_t count = rows.size() / C;
  const float share = 1 / static_cast<float>(count);
  for (float& x : mean) x *= share;
  return mean;
}

void normalise(std::vector<float>& v) {
  double squares = 0;
  for (const float x : v) squares += static_cast<double>(x) * x;
  if (squares == 0) return;
  const auto factor = static_cast<float>(1 / std::sqrt(squares));
  for (float& x : v) x *= factor;
}

const GgufValue* find(const Model& model, std::string_view key) {
  for (const auto& [name, value] : model.metadata)
    if (name == key) return &value;
  return nullptr;
}

std::string prompt_of(const Model& model, const std::string& name) {
  constexpr std::string_view kKey = "bantam.embedding.prompt.";
  if (name.empty()) return "";
  const GgufValue* found = find(model, fmt::format("{}{}", kKey, name));
  if (const auto* text = found != nullptr ? std::get_if<std::string>(found) : nullptr) return *text;
  std::string known;
  for (const auto& [key, unused] : model.metadata) {
    if (!key.starts_with(kKey)) continue;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", key.substr(kKey.size()));
  }
  fail(ErrorKind::usage, "embed", "prompt: expected one of the model's ({}), got \"{}\"",
       known.empty() ? "it has none" : known, name);
}

bool normalises(const Model& model) {
  const GgufValue* found = find(model, "bantam.embedding.normalise");
  const bool* says = found != nullptr ? std::get_if<bool>(found) : nullptr;
  return says == nullptr || *says;
}

}  // namespace

Embedder::Embedder(const std::shared_ptr<const Model>& model, const EmbedOptions& options)
    : options_(options),
      prefix_(prompt_of(*model, options.prompt)),
      engine_(model, engine_options(*model, options)) {
  const Pooling own = model->config.pooling;
  if (!options_.pooling) options_.pooling = own == Pooling::none ? Pooling::mean : own;
  if (!options_.normalise) options_.normalise = normalises(*model);
}

std::vector<float> Embedder::embed(std::string_view text) {
  const Model& model = engine_.model();
  if (model.tokenizer == nullptr) fail_without_tokenizer(model);
  return embed(model.tokenizer->encode(prefix_ + std::string(text)));
}

std::vector<float> Embedder::embed(std::span<const int32_t> ids) {
  if (ids.empty() || static_cast<int64_t>(ids.size()) > engine_.context()) {
    fail(ErrorKind::usage, "embed", "expected a text of 1 to {} tokens, got {}", engine_.context(),
         ids.size());
  }
  std::vector<Engine::Row> rows;
  for (const int32_t id : ids) rows.push_back({id, 0, static_cast<int32_t>(rows.size()), true});
  std::vector<float> vectors(ids.size() * static_cast<size_t>(size()));
  engine_.run(rows, vectors);
  std::vector<float> v = pool(vectors, size(), options_.pooling.value_or(Pooling::mean));
  if (options_.normalise.value_or(false)) normalise(v);
  return v;
}

}  // namespace bantam
