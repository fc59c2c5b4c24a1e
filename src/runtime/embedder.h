#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/engine.h"

namespace bantam {

struct EmbedOptions {
  int threads = 0;
  int64_t context = 0;  // longest text in tokens; 0: what the model was trained for
  // To length 1, so that a dot product is the cosine. Not given: unless the model says otherwise.
  std::optional<bool> normalise;
  std::optional<Pooling> pooling;  // not given: the model's, or the mean where it names none
  std::string prompt;  // the name of one of the model's prompts, which goes before each text
};

// Texts as vectors, by an encoder (BERT and its kin).
//   Embedder embedder(model);
//   std::vector<float> v = embedder.embed("a sentence");
// Calls from several threads are serialised.
class Embedder {
 public:
  // Throws ErrorKind::model for a model that is no encoder, ErrorKind::usage for a prompt that it
  // does not have.
  explicit Embedder(const std::shared_ptr<const Model>& model, const EmbedOptions& options = {});

  [[nodiscard]] int64_t size() const { return engine_.result_size(); }
  // Throws ErrorKind::usage for a text that does not fit the context.
  [[nodiscard]] std::vector<float> embed(std::string_view text);
  [[nodiscard]] std::vector<float> embed(std::span<const int32_t> ids);

 private:
  EmbedOptions options_;
  std::string prefix_;
  Engine engine_;
};

}  // namespace bantam
