#include "models/model.h"

#include <filesystem>
#include <set>

#include "base/error.h"
#include "formats/gguf_writer.h"
#include "models/architectures.h"
#include "models/config_gguf.h"

namespace bantam {
namespace {

// Keys that save_model writes from what the model itself says.
bool is_own_key(std::string_view key, std::string_view architecture) {
  for (const std::string_view own :
       {"general.architecture", "general.name", "general.alignment", "general.file_type",
        "general.quantization_version", "bantam.rope_pairs"}) {
    if (key == own) return true;
  }
  // Ends of turns are no part of a TokenizerSpec: chats look for them in the metadata.
  if (key == "tokenizer.ggml.eot_token_id" || key == "tokenizer.ggml.eom_token_id") return false;
  return key.starts_with("tokenizer.ggml.") || key.starts_with(fmt::format("{}.", architecture));
}

// GGUF's number for the type that most weights have (general.file_type).
uint32_t file_type(DType dtype) {
  switch (dtype) {
    case DType::f16:
      return 1;
    case DType::q4_0:
      return 2;
    case DType::q4_1:
      return 3;
    case DType::q8_0:
      return 7;
    case DType::q4_k:
      return 14;
    case DType::q5_k:
      return 16;
    case DType::q6_k:
      return 18;
    case DType::bf16:
      return 32;
    default:
      return 0;
  }
}

void check_weights(const Model& model, std::string_view where) {
  for (const WeightShape& w : required_weights(model.config)) {
    const auto found = model.weights.find(w.name);
    if (found == model.weights.end()) {
      fail(ErrorKind::model, where, "expected a tensor \"{}\" of shape {}, got none", w.name,
           w.shape.str());
    }
    if (!(found->second.shape() == w.shape)) {
      fail(ErrorKind::model, where, "tensor \"{}\": expected the shape {}, got {}", w.name,
           w.shape.str(), found->second.shape().str());
    }
  }
}

// Small vectors (norms, biases) are computed with in f32 whatever they are stored in.
Tensor usable(Tensor t) {
  const bool vector = t.shape().rank() == 1;
  return vector && t.dtype() != DType::f32 ? t.to(DType::f32) : t;
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
  for (const GgufTensor& t : file.tensors()) model.weights[t.name] = usable(file.tensor(t.name));
  check_weights(model, name);
  const std::string tokenizer = file.text("tokenizer.ggml.model", "none");
  if (tokenizer == "gpt2" || tokenizer == "llama") {
    model.tokenizer = make_tokenizer(read_tokenizer(file), name);
    if (model.tokenizer->vocab_size() > model.config.vocab_size) {
      fail(ErrorKind::model, name,
           "tokenizer.ggml.tokens: expected at most {} tokens (the rows of token_embd.weight), got "
           "{}",
           model.config.vocab_size, model.tokenizer->vocab_size());
    }
  }
  for (const auto& [key, value] : file.metadata()) {
    if (!is_own_key(key, model.config.architecture)) model.metadata.emplace_back(key, value);
  }
  return model;
}

Model load_model(const std::string& path) {
  return load_model(GgufFile::open(path), path);
}

void save_model(const Model& model, const std::string& path) {
  GgufWriter out;
  out.set("general.architecture", model.config.architecture);
  out.set("general.name", model.name);
  out.set("general.file_type", file_type(model.main_type()));
  out.set("general.quantization_version", uint32_t{2});
  for (const auto& [key, value] : model.metadata) out.set(key, value);
  write_config(model.config, out);
  if (model.tokenizer) write_tokenizer(model.tokenizer->spec(), out);
  // The graph's order, which is the order in which weights are read; then whatever else there is.
  std::set<std::string> written;
  for (const WeightShape& w : required_weights(model.config)) {
    out.add_tensor(w.name, model.weights.at(w.name));
    written.insert(w.name);
  }
  for (const auto& [name, t] : model.weights) {
    if (!written.contains(name)) out.add_tensor(name, t);
  }
  out.write(path);
}

}  // namespace bantam
