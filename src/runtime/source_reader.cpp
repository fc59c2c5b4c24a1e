#include "runtime/source_reader.h"

#include <algorithm>

#include "base/error.h"
#include "runtime/engine_plans.h"

namespace bantam {

SourceReader::SourceReader(std::shared_ptr<const Plan> plan, const EngineOptions& o,
                           ThreadPool& pool, std::shared_ptr<Arena> arena)
    : sources_(o.sources),
      longest_(o.source_context),
      most_(most_source_tokens(o)),
      executor_(std::move(plan), pool, std::move(arena)) {
  for (const auto& [name, tensor] : {std::pair{"source_ids", &ids_},
                                     {"source_sequences", &sequences_},
                                     {"source_positions", &positions_},
                                     {"source_ends", &ends_}}) {
    *tensor = Tensor::zeros(DType::i32, {most_});
    executor_.bind(name, tensor->view());
  }
}

void SourceReader::check(std::span<const Engine::SourceText> texts, int64_t vocab_size) const {
  int64_t total = 0;
  std::vector<bool> seen(static_cast<size_t>(sources_));
  for (const Engine::SourceText& text : texts) {
    if (text.source < 0 || text.source >= sources_ || seen[static_cast<size_t>(text.source)]) {
      fail(ErrorKind::usage, "engine", "source: expected 0 to {}, each once in a run, got {}",
           sources_ - 1, text.source);
    }
    seen[static_cast<size_t>(text.source)] = true;
    const auto n = static_cast<int64_t>(text.ids.size());
    if (n < 1 || n > longest_) {
      fail(ErrorKind::usage, "engine", "expected a source text of 1 to {} tokens, got {} tokens",
           longest_, n);
    }
    for (const int32_t id : text.ids) {
      if (id >= 0 && id < vocab_size) continue;
      fail(ErrorKind::usage, "engine", "token: expected an id from 0 to {}, got {}", vocab_size - 1,
           id);
    }
    total += n;
  }
  if (total < 1 || total > most_) {
    fail(ErrorKind::usage, "engine", "expected 1 to {} tokens of sources in a run, got {}", most_,
         total);
  }
}

void SourceReader::read(std::span<const Engine::SourceText> texts, int64_t vocab_size) {
  check(texts, vocab_size);
  int64_t row = 0;
  for (const Engine::SourceText& text : texts) {
    const auto n = static_cast<int32_t>(text.ids.size());
    for (int32_t i = 0; i < n; ++i, ++row) {
      ids_.as<int32_t>()[row] = text.ids[static_cast<size_t>(i)];
      sequences_.as<int32_t>()[row] = text.source;
      positions_.as<int32_t>()[row] = i;
      ends_.as<int32_t>()[row] = n - 1;
    }
  }
  executor_.set_extent("tokens", row);
  executor_.run();
}

}  // namespace bantam
