#include <fmt/format.h>

#include <iostream>

#include "cli/cache.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "eval/perplexity.h"

namespace bantam::cli {
namespace {

struct PerplexityOptions {
  std::string model, reference;
  CacheFlags cache;
  std::vector<std::string> texts;
  EvaluateOptions evaluate;
  bool json = false;
};

Json to_json(const PerplexityResult& r) {
  return {{"perplexity", r.perplexity()},
          {"word_perplexity", r.word_perplexity()},
          {"byte_perplexity", r.byte_perplexity()},
          {"bits_per_byte", r.bits_per_byte()},
          {"tokens", r.tokens},
          {"words", r.words},
          {"bytes", r.bytes}};
}

std::vector<std::string> line(const char* name, double model, double reference, bool both) {
  std::vector<std::string> cells{name, fmt::format("{:.4f}", model)};
  if (both) cells.push_back(fmt::format("{:.4f}", reference));
  return cells;
}

void print_table(const DivergenceResult& r, bool both) {
  const PerplexityResult &a = r.model, &b = r.reference;
  Table t;
  if (both) t.row({"", "model", "reference"});
  t.row(line("perplexity per token", a.perplexity(), b.perplexity(), both));
  t.row(line("perplexity per word", a.word_perplexity(), b.word_perplexity(), both));
  t.row(line("perplexity per byte", a.byte_perplexity(), b.byte_perplexity(), both));
  t.row(line("bits per byte", a.bits_per_byte(), b.bits_per_byte(), both));
  if (both) {
    t.row({"mean KL divergence", fmt::format("{:.6f}", r.mean_kl)});
    t.row({"largest KL divergence", fmt::format("{:.4f}", r.max_kl)});
    t.row({"top-1 agreement", fmt::format("{:.2f} %", 100 * r.top1_agreement)});
  }
  std::cout << t.str()
            << fmt::format("over {} tokens, {} words, {} bytes in {} ({:.0f} tokens/s)\n", a.tokens,
                           a.words, a.bytes, human_seconds(a.seconds),
                           static_cast<double>(a.tokens) / a.seconds);
}

void perplexity(PerplexityOptions o) {
  const auto model = open_model(o.model);
  const auto reference = o.reference.empty() ? nullptr : open_model(o.reference);
  const std::vector<TokenText> texts = read_texts(*model, o.texts);
  o.evaluate.cache_type = parse_cache_type(o.cache.type);
  o.evaluate.cache_window = o.cache.window;
  o.evaluate.cache_sinks = o.cache.sinks;
  o.evaluate.cache_heavy = o.cache.heavy;
  const Interrupt interrupt;
  o.evaluate.on_progress = [&](double done) {
    show_progress("measuring", done);
    return !interrupt.requested();
  };
  DivergenceResult r;
  if (reference != nullptr) {
    r = divergence(model, reference, texts, o.evaluate);
  } else {
    r.model = bantam::perplexity(model, texts, o.evaluate);
  }
  if (!o.json) return print_table(r, reference != nullptr);
  Json json = to_json(r.model);
  json["seconds"] = r.model.seconds;
  if (reference != nullptr) {
    json["reference"] = to_json(r.reference);
    json["mean_kl"] = r.mean_kl;
    json["max_kl"] = r.max_kl;
    json["top1_agreement"] = r.top1_agreement;
  }
  print(json);
}

}  // namespace

void add_perplexity(CLI::App& app) {
  auto o = std::make_shared<PerplexityOptions>();
  CLI::App* c = app.add_subcommand("perplexity", "How well a model foretells a text");
  c->add_option("model", o->model, "A .gguf file (without it, the built-in model)");
  c->add_option("-f,--text", o->texts,
                "Text files, also .zst; of an encoder-decoder, pairs (.tsv, .jsonl)")
      ->required();
  c->add_option("--compare,--reference", o->reference,
                "Another model: also how far the first has moved from it");
  c->add_option("--context", o->evaluate.context, "Tokens that the model sees at once");
  c->add_option("--stride", o->evaluate.stride,
                "New tokens in each window; less than the context repeats the text before them");
  c->add_option("--limit", o->evaluate.limit, "Score only so many tokens")
      ->check(CLI::NonNegativeNumber);
  add_cache(*c, o->cache);
  add_exact(*c, o->evaluate.exact);
  c->add_flag("--json", o->json, "Print a JSON object");
  c->callback([c, o] {
    o->evaluate.threads = global_threads(*c);
    perplexity(*o);
  });
}

}  // namespace bantam::cli
