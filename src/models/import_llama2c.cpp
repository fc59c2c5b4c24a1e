#include "models/import_llama2c.h"

#include <filesystem>

#include "formats/llama2c.h"
#include "text/llama2c_tokenizer.h"

namespace bantam {

Model import_llama2c(const std::string& path, const std::string& tokenizer_path) {
  const Llama2cModel file = read_llama2c(path);
  const Llama2cConfig& c = file.config;
  Model model;
  model.name = std::filesystem::path(path).stem().string();
  model.config = {.architecture = "llama",
                  .context_length = c.seq_len,
                  .embedding_length = c.dim,
                  .block_count = c.n_layers,
                  .feed_forward_length = c.hidden_dim,
                  .head_count = c.n_heads,
                  .head_count_kv = c.n_kv_heads,
                  .head_size = c.dim / c.n_heads,
                  .vocab_size = c.vocab_size,
                  .norm_eps = 1e-5,
                  .rope_theta = 10000,
                  .rope_dims = c.dim / c.n_heads,
                  .rope_pairs = ops::RopePairs::interleaved,
                  .tied_embeddings = c.shared_classifier};
  check_config(model.config, path);
  for (const auto& [name, tensor] : file.tensors) model.weights[name] = tensor;
  model.tokenizer = make_tokenizer(
      read_llama2c_tokenizer(tokenizer_path, static_cast<int32_t>(c.vocab_size)), tokenizer_path);
  return model;
}

}  // namespace bantam
