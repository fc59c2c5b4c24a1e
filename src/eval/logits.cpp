#include "eval/logits.h"

#include <algorithm>

#include "base/error.h"

namespace bantam {

std::unique_ptr<Engine> make_logits_engine(std::shared_ptr<const Model> model,
                                           EngineOptions options) {
  static constexpr int64_t kMostLogits = int64_t{8} << 20;  // of one run: 32 MiB
  if (!model->config.causal) {
    fail(ErrorKind::model, model->name, "expected a model with logits, got the encoder \"{}\"",
         model->config.architecture);
  }
  options.all_logits = true;
  options.batch = std::clamp<int64_t>(kMostLogits / model->config.vocab_size, 16, 256);
  return std::make_unique<Engine>(std::move(model), options);
}

std::unique_ptr<Engine> make_logits_engine(std::shared_ptr<const Model> model, int64_t context,
                                           int threads, DType cache_type) {
  EngineOptions options;
  options.threads = threads;
  options.context = context;
  options.cache_type = cache_type;
  return make_logits_engine(std::move(model), options);
}

void read_source(Engine& engine, std::span<const int32_t> source) {
  const Engine::SourceText text{0, source};
  engine.read(std::span(&text, 1));
}

void run_logits(Engine& engine, std::span<const int32_t> tokens, int64_t first, int64_t n,
                std::span<float> logits) {
  std::vector<Engine::Row> rows;
  for (int64_t i = first; i < first + n; ++i) {
    rows.push_back({tokens[static_cast<size_t>(i)], 0, static_cast<int32_t>(i), true});
  }
  engine.run(rows, logits);
}

void for_each_logits(Engine& engine, std::span<const int32_t> tokens, int64_t split,
                     const OnLogits& on_logits) {
  const auto n = static_cast<int64_t>(tokens.size());
  if (n > engine.context()) {
    fail(ErrorKind::usage, "logits",
         "expected a text that fits into the context of {} tokens, got {} tokens", engine.context(),
         n);
  }
  const int64_t most = engine.options().batch;
  const int64_t step = split > 0 ? std::min(split, most) : most;
  std::vector<float> logits(static_cast<size_t>(std::min(n, step) * engine.vocab_size()));
  for (int64_t begin = 0; begin < n; begin += step) {
    const int64_t count = std::min(step, n - begin);
    run_logits(engine, tokens, begin, count, logits);
    on_logits(
        begin, count,
        std::span<const float>(logits).first(static_cast<size_t>(count * engine.vocab_size())));
  }
}

std::vector<float> sequence_logits(Engine& engine, std::span<const int32_t> tokens, int64_t split) {
  std::vector<float> all;
  all.reserve(tokens.size() * static_cast<size_t>(engine.vocab_size()));
  for_each_logits(engine, tokens, split, [&](int64_t, int64_t, std::span<const float> logits) {
    all.insert(all.end(), logits.begin(), logits.end());
  });
  return all;
}

}  // namespace bantam
