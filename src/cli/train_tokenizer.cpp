#include <fmt/format.h>

#include <iostream>

#include "base/error.h"
#include "base/thread_pool.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "formats/gguf_writer.h"
#include "models/model.h"
#include "train/learn_tokenizer.h"

namespace bantam::cli {
namespace {

struct Options {
  std::vector<std::string> texts;
  std::string out, kind = "bpe";
  int64_t vocabulary = 8192;
  bool json = false;
};

LearnTokenizer::Kind parse_kind(const std::string& name) {
  if (name == "bpe") return LearnTokenizer::bpe;
  if (name == "unigram") return LearnTokenizer::unigram;
  fail(ErrorKind::usage, "--kind", "expected bpe or unigram, got \"{}\"", name);
}

// What a tokenizer makes of the texts that it was learned from.
double bytes_per_token(const Tokenizer& tokenizer, const std::vector<SourceSpec>& sources) {
  size_t bytes = 0, tokens = 0;
  for (const SourceSpec& source : sources) {
    for (const std::string& document : read_documents(source)) {
      bytes += document.size();
      tokens += tokenizer.encode(document, {.special = false}).size();
    }
  }
  return tokens == 0 ? 0 : static_cast<double>(bytes) / static_cast<double>(tokens);
}

void train_tokenizer(const Options& o, int threads) {
  LearnTokenizer what;
  what.kind = parse_kind(o.kind);
  what.vocabulary = o.vocabulary;
  for (const std::string& text : o.texts) {
    SourceSpec source;
    source.path = text;
    what.sources.push_back(source);
  }
  ThreadPool pool(threads);
  const TokenizerSpec spec = learn_tokenizer(what, pool);
  const auto tokenizer = make_tokenizer(spec);
  GgufWriter out;
  out.set("general.architecture", std::string("tokenizer"));
  write_tokenizer(spec, out);
  out.write(o.out);
  const double ratio = bytes_per_token(*tokenizer, what.sources);
  if (o.json) {
    return print(Json{{"tokens", spec.tokens.size()},
                      {"model", spec.model},
                      {"bytes_per_token", ratio},
                      {"file", o.out}});
  }
  std::cout << fmt::format("{} tokens, {:.2f} bytes of the text each: {}\n", spec.tokens.size(),
                           ratio, o.out);
}

}  // namespace

void add_train_tokenizer(CLI::App& app) {
  static constexpr int64_t kLeast = 258, kMost = 1 << 20;
  auto o = std::make_shared<Options>();
  CLI::App* c = app.add_subcommand("train-tokenizer", "Learn a tokenizer from text");
  c->add_option("texts", o->texts, "Files of text (.txt, .md) or of JSON lines (.jsonl); also .zst")
      ->required();
  c->add_option("-o,--output", o->out, "The .gguf file to write")->required();
  c->add_option("--kind", o->kind, "bpe (byte-level) or unigram (SentencePiece's)")
      ->capture_default_str();
  c->add_option("--vocabulary", o->vocabulary, "Tokens, bytes and control tokens among them")
      ->capture_default_str()
      ->check(CLI::Range(kLeast, kMost));
  c->add_flag("--json", o->json, "Print a JSON object");
  c->callback([c, o] { train_tokenizer(*o, given_threads(*c)); });
}

}  // namespace bantam::cli
