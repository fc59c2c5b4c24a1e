#include "models/model.h"

#include <filesystem>
#include <set>

#include "base/error.h"
#include "formats/gguf_split.h"
#include "formats/gguf_writer.h"
#include "formats/messages.h"
#include "models/architectures.h"
#include "models/config_gguf.h"
#include "models/file_type.h"
#include "models/old_spellings.h"

namespace bantam {
namespace {

// Keys that save_model writes from what the model itself says.
std::set<std::string, std::less<>> own_keys(const ModelConfig& config) {
  std::set<std::string, std::less<>> keys{"general.architecture", "general.name",
                                          "general.alignment",    "general.file_type",
                                          "bantam.rope_pairs",    "general.quantization_version"};
  for (std::string& key : config_keys(config)) keys.insert(std::move(key));
  return keys;
}

// Ends of turns are no part of a TokenizerSpec: chats look for them in the metadata.
bool is_tokenizer_key(std::string_view key) {
  if (key == "tokenizer.ggml.eot_token_id" || key == "tokenizer.ggml.eom_token_id") return false;
  return key.starts_with("tokenizer.ggml.") || key.starts_with("bantam.tokenizer.") ||
         key == "tokenizer.huggingface.json";
}

std::vector<WeightShape> weights_of(const Model& model) {
  return required_weights(model.config,
                          [&](std::string_view name) { return model.weights.contains(name); });
}

// Files differ in whether they store a leading extent of 1.
Shape without_ones(const Shape& shape) {
  int first = 0;
  while (first + 1 < shape.rank() && shape[first] == 1) ++first;
  std::vector<int64_t> kept;
  for (int i = first; i < shape.rank(); ++i) kept.push_back(shape[i]);
  return Shape(std::span<const int64_t>(kept));
}

// Checks the weights that the architecture reads; those that are computed with in f32 (norms,
// biases) become it, whatever they are stored in.
void fit_weights(Model& model, std::string_view where) {
  for (const WeightShape& w : weights_of(model)) {
    const auto found = model.weights.find(w.name);
    if (found == model.weights.end()) {
      fail(ErrorKind::model, where, "expected a tensor \"{}\" of shape {}, got none", w.name,
           w.shape.str());
    }
    Tensor& t = found->second;
    if (!(t.shape() == w.shape) && without_ones(t.shape()) == without_ones(w.shape)) {
      t = t.reshaped(w.shape);
    }
    if (!(t.shape() == w.shape)) {
      fail(ErrorKind::model, where, "tensor \"{}\": expected the shape {}, got {}", w.name,
           w.shape.str(), t.shape().str());
    }
    if (t.dtype() == DType::i32 || t.dtype() == DType::i8) {
      fail(ErrorKind::model, where, "tensor \"{}\": expected floats or their blocks, got {}",
           w.name, dtype_info(t.dtype()).name);
    }
    if (w.f32_only && t.dtype() != DType::f32) t = t.to(DType::f32);
  }
}

}  // namespace

int64_t Model::weight_bytes() const {
  int64_t bytes = 0;
  for (const auto& [unused, t] : weights) bytes += t.bytes();
  return bytes;
}

int64_t Model::parameters() const {
  int64_t count = 0;
  for (const auto& [unused, t] : weights) count += t.shape().elements();
  return count;
}

DType Model::main_type() const {
  std::map<DType, int64_t> bytes;
  for (const auto& [unused, t] : weights) bytes[t.dtype()] += t.bytes();
  DType best = DType::f32;
  int64_t most = -1;
  for (const auto& [dtype, n] : bytes) {
    if (n > most) {
      best = dtype;
      most = n;
    }
  }
  return best;
}

Model load_model(const GgufFile& file, std::string_view name) {
  Model model;
  model.config = read_config(file, name);
  model.name = file.text("general.name", std::filesystem::path(name).stem().string());
  for (const GgufTensor& t : file.tensors()) model.weights[t.name] = file.tensor(t.name);
  modernise(model.config, name, model.weights);
  fit_weights(model, name);
  const std::string kind = file.text("tokenizer.ggml.model", "none");
  if (!is_tokenizer_model(kind)) {
    if (kind != "none") model.unknown_tokenizer = kind;
  } else {
    TokenizerSpec spec = read_tokenizer(file);
    const std::string where = spec.model != "tokenizer.json"
                                  ? std::string(name)
                                  : fmt::format("{}: tokenizer.huggingface.json", name);
    model.tokenizer = make_tokenizer(std::move(spec), where);
    if (model.tokenizer->vocab_size() > model.config.vocab_size) {
      fail(ErrorKind::model, name,
           "tokenizer.ggml.tokens: expected at most {} tokens (the rows of token_embd.weight), got "
           "{}",
           model.config.vocab_size, model.tokenizer->vocab_size());
    }
  }
  const auto own = own_keys(model.config);
  for (const auto& [key, value] : file.metadata()) {
    if (own.contains(key) || is_tokenizer_key(key)) continue;
    model.metadata.emplace_back(key, value);
  }
  return model;
}

void fail_without_tokenizer(const Model& model) {
  if (model.unknown_tokenizer.empty()) {
    fail(ErrorKind::model, model.name,
         "expected a model with a tokenizer, got none (no tokenizer.ggml.model)");
  }
  fail(ErrorKind::model, model.name,
       "tokenizer.ggml.model: expected \"gpt2\", \"llama\", \"t5\" or \"bert\", got {}",
       bantam::quoted(model.unknown_tokenizer));
}

Model load_model(const std::string& path) {
  return load_model(GgufFile::open(path), path);
}

std::vector<std::string> save_model(const Model& model, const std::string& path,
                                    std::optional<int64_t> part_bytes) {
  GgufWriter out;
  out.set("general.architecture", model.config.architecture);
  out.set("general.name", model.name);
  out.set("general.file_type", file_type(model));
  out.set("general.quantization_version", uint32_t{2});
  for (const auto& [key, value] : model.metadata) out.set(key, value);
  write_config(model.config, out);
  if (model.tokenizer) write_tokenizer(model.tokenizer->spec(), out);
  // The graph's order, which is the order in which weights are read; then whatever else there is.
  std::set<std::string> written;
  for (const WeightShape& w : weights_of(model)) {
    out.add_tensor(w.name, model.weights.at(w.name));
    written.insert(w.name);
  }
  for (const auto& [name, t] : model.weights) {
    if (!written.contains(name)) out.add_tensor(name, t);
  }
  if (part_bytes) return write_gguf_parts(out, path, static_cast<uint64_t>(*part_bytes));
  out.write(path);
  return {path};
}

}  // namespace bantam
