#include "train/recipe.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "models/architectures.h"
#include "train/toml_reader.h"

namespace bantam {
namespace {

std::string beside(const std::string& recipe, const std::string& path) {
  if (path.empty() || std::filesystem::path(path).is_absolute()) return path;
  return (std::filesystem::path(recipe).parent_path() / path).lexically_normal().string();
}

SourceSpec read_source(TomlReader& r, const std::string& recipe) {
  SourceSpec s;
  s.path = beside(recipe, r.text("path", ""));
  if (s.path.empty()) fail(ErrorKind::usage, recipe, "data.train: expected a path, got none");
  s.separator = r.text("separator", s.separator);
  s.document_bytes = r.integer("document_bytes", s.document_bytes, 16);
  const bool tabs = s.path.ends_with(".tsv") || s.path.ends_with(".tsv.zst");
  s.records = static_cast<SourceSpec::Records>(
      r.choice("records", {"text", "exchange", "turns", "pair"}, tabs ? 3 : 0));
  s.pair_fields.source = r.text("source_field", s.pair_fields.source);
  s.pair_fields.target = r.text("target_field", s.pair_fields.target);
  s.source_prefix = r.text("source_prefix", "");
  s.text_field = r.text("text_field", s.text_field);
  s.prompt_field = r.text("prompt_field", s.prompt_field);
  s.response_field = r.text("response_field", s.response_field);
  s.turns_field = r.text("turns_field", s.turns_field);
  s.prompt_after = r.text("prompt_after", "");
  s.prompt_before = r.text("prompt_before", "");
  s.normalisation.unwrap_lines = r.boolean("unwrap_lines", false);
  s.dialogue.user_prefix = r.text("user_prefix", s.dialogue.user_prefix);
  s.dialogue.assistant_prefix = r.text("assistant_prefix", s.dialogue.assistant_prefix);
  r.finish();
  return s;
}

void read_data(TomlReader r, Recipe& recipe) {
  for (TomlReader& source : r.tables("train")) {
    recipe.sources.push_back(read_source(source, recipe.path));
  }
  if (recipe.sources.empty()) {
    fail(ErrorKind::usage, recipe.path, "data.train: expected at least one source, got none");
  }
  for (const std::string& f : r.texts("valid"))
    recipe.valid_files.push_back(beside(recipe.path, f));
  recipe.held_out_every = r.integer("held_out_every", 100, 0);
  if (recipe.held_out_every == 0 && recipe.valid_files.empty()) {
    fail(ErrorKind::usage, recipe.path,
         "data.valid: expected held-out text (or held_out_every above 0), got none");
  }
  r.finish();
}

// What a table says in place of what the configuration already holds.
class RecipeKeys : public ConfigKeys {
 public:
  RecipeKeys(TomlReader& table, const std::string& path) : ConfigKeys(path), table_(table) {}

 private:
  void integer(std::string_view key, int64_t& value, std::optional<int64_t> otherwise,
               Write) override {
    if (value == 0 && otherwise) value = *otherwise;
    value = table_.integer(key, value, INT64_MIN);
  }
  void real(std::string_view key, double& value, std::optional<double> otherwise, Write) override {
    if (value == 0 && otherwise) value = *otherwise;
    value = table_.real(key, value, -1e300, 1e300);
  }
  void boolean(std::string_view key, bool& value, bool otherwise) override {
    value = table_.boolean(key, otherwise);
  }
  void text(std::string_view key, std::string& value, std::string_view) override {
    value = table_.text(key, value);
  }
  void integers(std::string_view key, std::vector<int64_t>& values,
                std::optional<int64_t>) override {
    if (table_.has(key)) values = table_.integers(key);
  }

  [[nodiscard]] std::string label(std::string_view key) const override {
    static constexpr std::pair<std::string_view, std::string_view> kOwn[] = {
        {"context_length", "context"},
        {"embedding_length", "width"},
        {"block_count", "layers"},
        {"feed_forward_length", "feed_forward"},
        {"attention.head_count", "heads"},
        {"attention.head_count_kv", "kv_heads"},
        {"attention.key_length", "head_size"},
        {"rope.dimension_count", "rope_dims"}};
    for (const auto& [gguf, own] : kOwn) {
      if (gguf == key) return fmt::format("model.{}", own);
    }
    return fmt::format("model.keys.\"{}\"", key);
  }

  TomlReader& table_;
};

void read_model(TomlReader r, Recipe& recipe) {
  ModelConfig& m = recipe.model;
  m.architecture = r.text("architecture", "llama");
  const Architecture& architecture = find_architecture(m.architecture, recipe.path);
  m.block_count = r.integer("layers", 0, 1, 1000);
  m.embedding_length = r.integer("width", 0, 1, 65536);
  m.head_count = r.integer("heads", 0, 1, 1024);
  m.head_count_kv = r.integer("kv_heads", m.head_count, 1, 1024);
  m.head_size = r.integer("head_size", m.head_count > 0 ? m.embedding_length / m.head_count : 0, 2);
  m.feed_forward_length = r.integer("feed_forward", 0, 1, 1 << 20);
  m.context_length = r.integer("context", 0, 2, 1 << 20);
  m.rope_theta = r.real("rope_theta", 10000, 1, 1e9);
  m.rope_dims = r.integer("rope_dims", m.head_size, 2);
  m.norm_eps = r.real("rms_norm_eps", 1e-5, 1e-12, 1);
  m.tied_embeddings = r.boolean("tied_embeddings", true);
  m.gated_feed_forward = r.boolean("gated_feed_forward", false);
  m.rope_pairs = static_cast<ops::RopePairs>(r.choice(
      "rope_pairs", {"interleaved", "halves"}, static_cast<size_t>(architecture.rope_pairs)));
  TomlReader table = r.table("keys");
  RecipeKeys keys(table, recipe.path);
  architecture.keys(keys, m);
  table.finish();
  r.finish();
}

// Encoder-decoders learn from pairs, and only they do.
void check_pairs(const Recipe& recipe) {
  for (const SourceSpec& source : recipe.sources) {
    const bool pairs = source.records == SourceSpec::Records::pair;
    if (pairs == recipe.model.reads_source()) continue;
    fail(ErrorKind::usage, recipe.path, "data.train: expected {} for a \"{}\", got \"{}\"",
         recipe.model.reads_source() ? "pairs (.tsv, or records = \"pair\")" : "texts, not pairs,",
         recipe.model.architecture, source.path);
  }
}

void read_train(TomlReader r, Recipe& recipe) {
  TrainerOptions& t = recipe.trainer;
  t.length = r.integer("length", recipe.model.context_length, 2, recipe.model.context_length);
  t.source_length = r.integer("source_length", t.length, 1, recipe.model.context_length);
  t.sequences = r.integer("sequences", 16, 1, 1 << 16);
  t.accumulation = r.integer("accumulation", 1, 1, 1 << 16);
  t.compute = r.choice("compute", {"bf16", "f32"}, 0) == 0 ? DType::bf16 : DType::f32;
  t.checkpoint_activations = r.boolean("checkpoint_activations", false);
  t.dropout = r.real("dropout", 0, 0, 0.9);
  t.beta1 = r.real("beta1", 0.9, 0, 0.9999);
  t.beta2 = r.real("beta2", 0.95, 0, 0.99999);
  t.eps = r.real("eps", 1e-8, 1e-16, 1);
  t.weight_decay = r.real("weight_decay", 0.1, 0, 10);
  t.clip = r.real("clip", 1, 0, 1e9);
  t.expert_balance = r.real("expert_balance", 0.01, 0, 100);
  t.seed = static_cast<uint64_t>(r.integer("seed", 1, 0));
  t.threads = static_cast<int>(r.integer("threads", 0, 0, 1024));

  Schedule& s = recipe.schedule;
  s.kind = static_cast<ScheduleKind>(r.choice("schedule", {"constant", "cosine", "wsd"}, 1));
  s.peak = r.real("learning_rate", 1e-3, 0, 1);
  s.floor = r.real("learning_rate_floor", s.peak / 10, 0, 1);
  s.warmup_steps = r.integer("warmup_steps", 100, 0);
  s.total_steps = r.integer("steps", 0, 1);
  recipe.epochs = r.real("epochs", 0, 0, 1e6);
  if ((s.total_steps > 0) == (recipe.epochs > 0)) {
    fail(ErrorKind::usage, recipe.path, "train: expected either \"steps\" or \"epochs\"");
  }
  s.decay_steps = r.integer("decay_steps", 0, 0);
  recipe.log_every = r.integer("log_every", 10, 1);
  recipe.eval_every = r.integer("eval_every", 200, 1);
  recipe.sample_every = r.integer("sample_every", 500, 1);
  recipe.checkpoint_every = r.integer("checkpoint_every", 200, 1);
  recipe.sample_prompts = r.texts("sample_prompts");
  r.finish();
}

void read_distill(TomlReader r, Recipe& recipe) {
  recipe.teacher = beside(recipe.path, r.text("teacher", ""));
  recipe.distill.alpha = r.real("alpha", recipe.distill.alpha, 0, 1);
  recipe.distill.temperature = r.real("temperature", recipe.distill.temperature, 0.01, 100);
  recipe.distill.divergence = static_cast<ops::Divergence>(
      r.choice("divergence", {"forward_kl", "reverse_kl", "jensen_shannon"}, 0));
  r.finish();
}

}  // namespace

Recipe parse_recipe(std::string_view text, const std::string& path) {
  toml::table root;
  try {
    root = toml::parse(text, path);
  } catch (const toml::parse_error& e) {
    fail(ErrorKind::usage, path, "line {}: {}", e.source().begin.line, e.description());
  }
  TomlReader r(root, path, "");
  Recipe recipe;
  recipe.path = path;
  recipe.fingerprint = hash_bytes(text);
  recipe.name = r.text("name", std::filesystem::path(path).stem().string());
  recipe.output = beside(path, r.text("output", "out/" + recipe.name));
  recipe.licence = r.text("licence", "");
  const auto type = dtype_from_name(r.text("output_type", "f16"));
  if (!type || dtype_info(*type).quantized || *type == DType::i32 || *type == DType::i8) {
    fail(ErrorKind::usage, path, "output_type: expected f32, f16 or bf16");
  }
  recipe.output_type = *type;
  read_data(r.table("data"), recipe);
  TomlReader tokenizer = r.table("tokenizer");
  recipe.tokenizer_kind =
      static_cast<LearnTokenizer::Kind>(tokenizer.choice("kind", {"bpe", "unigram"}, 0));
  recipe.vocabulary = tokenizer.integer("vocabulary", 8192, 258, 1 << 20);
  recipe.tokenizer_model = beside(path, tokenizer.text("model", ""));
  tokenizer.finish();
  read_model(r.table("model"), recipe);
  check_pairs(recipe);
  read_train(r.table("train"), recipe);
  read_distill(r.table("distill"), recipe);
  r.finish();
  ModelConfig checked = recipe.model;
  checked.vocab_size = recipe.vocabulary;
  check_config(checked, path);
  return recipe;
}

Recipe read_recipe(const std::string& path) {
  return parse_recipe(read_text_file(path), path);
}

}  // namespace bantam
