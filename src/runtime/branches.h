#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "runtime/engine.h"

namespace bantam {

// What a model says after several texts that begin alike, in one run.
//
//   Branches branches(engine);  // with EngineOptions::sequences = 8: up to 8 texts together
//   std::vector<int32_t> dog = text, cat = text;
//   dog.push_back(..), cat.push_back(..);
//   auto logits = branches.run(std::vector{dog, cat}, text.size());  // [2, V]
//
// Each sequence of the engine keeps the text that it read last. A text goes to a sequence that
// begins as it does, or gets a copy of one, so that only what no sequence has read is run.
// All sequences of the engine are in use. One caller at a time.
class Branches {
 public:
  explicit Branches(std::shared_ptr<Engine> engine);

  // The most texts of one run.
  [[nodiscard]] size_t width() const;
  // The logits after each text, [texts, V], valid until the next call; the first `shared` tokens
  // are those of all of them. Throws ErrorKind::usage for a text beyond the engine's context.
  std::span<const float> run(std::span<const std::vector<int32_t>> texts, size_t shared);

  [[nodiscard]] Engine& engine() const { return *engine_; }
  // Tokens that passed the model so far.
  [[nodiscard]] int64_t rows() const { return count_; }

 private:
  struct Sequence {
    std::vector<int32_t> tokens;
    size_t written = 0;  // of them, the rest waits for the run
    int64_t used = 0;    // the run that used it last
  };

  void hold(std::span<const int32_t> text);
  void claim(const std::vector<int32_t>& text, size_t first);
  [[nodiscard]] size_t common(const Sequence& s, std::span<const int32_t> text) const;
  void add_rows(size_t sequence, bool logits);
  void run_rows();

  std::shared_ptr<Engine> engine_;
  std::vector<Sequence> sequences_;
  std::vector<Engine::Row> rows_;
  std::vector<float> logits_;
  int64_t now_ = 0, count_ = 0;
};

}  // namespace bantam
