#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "base/error.h"
#include "base/file.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "eval/logits.h"

namespace bantam::cli {
namespace {

struct LogitsOptions {
  std::string model, tokens, source, out, cache_type = "f32";
  int64_t split = 0;
  int threads = 0;
  bool as_run = false;
};

void logits(const LogitsOptions& o) {
  const std::vector<int32_t> ids = parse_ids(o.tokens);
  if (ids.empty()) fail(ErrorKind::usage, "--tokens", "expected at least 1 id, got none");
  const auto model = open_model(o.model);
  const std::vector<int32_t> source = parse_ids(o.source);
  const auto n = static_cast<int64_t>(ids.size());
  EngineOptions options;
  options.threads = o.threads;
  options.context = std::max(n, static_cast<int64_t>(source.size()));
  options.cache_type = parse_cache_type(o.cache_type);
  options.exact = !o.as_run;
  const auto engine = make_logits_engine(model, options);
  if (model->config.reads_source() == source.empty()) {
    fail(ErrorKind::usage, "--source", "expected ids for an encoder-decoder, and only for one");
  }
  if (!source.empty()) read_source(*engine, source);
  AtomicFile out(o.out);
  for_each_logits(*engine, ids, o.split, [&](int64_t, int64_t, std::span<const float> rows) {
    out.write(std::as_bytes(rows));
  });
  out.commit();
  std::cout << fmt::format("{}: {} x {} float32\n", o.out, n, model->config.vocab_size);
}

}  // namespace

void add_logits(CLI::App& app) {
  auto o = std::make_shared<LogitsOptions>();
  CLI::App* c = app.add_subcommand("logits", "Write a model's raw logits to a file");
  c->add_option("model", o->model, "A .gguf file")->required();
  c->add_option("--tokens", o->tokens, "Token ids: 1,2,3")->required();
  c->add_option("--source", o->source, "Of an encoder-decoder, the ids that it reads: 1,2,3");
  c->add_option("--out", o->out, "Gets float32, little-endian, [tokens, vocabulary]")->required();
  c->add_option("--cache-type", o->cache_type, "Of keys and values: f32, f16, bf16, q8_0 or q4_0")
      ->capture_default_str();
  c->add_flag("--as-run", o->as_run,
              "Round activations to 8 bits where weights are quantised, as run does");
  c->add_option("--split", o->split, "Feed at most so many tokens at once; 0: as many as fit")
      ->check(CLI::NonNegativeNumber);
  c->callback([c, o] {
    o->threads = global_threads(*c);
    logits(*o);
  });
}

}  // namespace bantam::cli
