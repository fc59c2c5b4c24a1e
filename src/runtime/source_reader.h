#pragma once

#include <memory>
#include <span>

#include "runtime/engine.h"

namespace bantam {

// The half of an encoder-decoder that reads source texts: its executor and its inputs. What it
// makes of them it leaves in states, which the engine binds.
class SourceReader {
 public:
  SourceReader(std::shared_ptr<const Plan> plan, const EngineOptions& options, ThreadPool& pool,
               std::shared_ptr<Arena> arena);

  // Throws ErrorKind::usage for sources, ids or lengths out of range.
  void read(std::span<const Engine::SourceText> texts, int64_t vocab_size);

  [[nodiscard]] Executor& executor() { return executor_; }

 private:
  void check(std::span<const Engine::SourceText> texts, int64_t vocab_size) const;

  int64_t sources_, longest_, most_;
  Tensor ids_, sequences_, positions_, ends_;
  Executor executor_;
};

}  // namespace bantam
