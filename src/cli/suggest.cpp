#include "runtime/suggest.h"

#include <fmt/format.h>

#include <iostream>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/common.h"

namespace bantam::cli {
namespace {

struct Options {
  std::vector<std::string> words;
  SuggestOptions suggest;
  int threads = 0;
  bool json = false;
};

void suggest(Options o) {
  const std::string path = take_model(o.words);
  if (o.words.empty()) fail(ErrorKind::usage, "suggest", "expected a text, got none");
  EngineOptions options;
  options.threads = o.threads;
  Session session(std::make_shared<Engine>(open_model(path), options));
  const auto words = bantam::suggest(session, join(o.words), o.suggest);
  if (o.json) {
    Json json = Json::array();
    for (const Suggestion& s : words) {
      json.push_back(
          {{"word", s.word}, {"probability", s.probability}, {"completes", s.completes}});
    }
    return print(json);
  }
  Table t;
  for (const Suggestion& s : words) {
    t.row({s.word, fmt::format("{:.2f} %", 100 * s.probability), s.completes ? "completes" : ""});
  }
  std::cout << t.str();
}

}  // namespace

void add_suggest(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* c = app.add_subcommand("suggest", "The most probable next words, as a keyboard does");
  c->add_option("words", o->words, "A .gguf file (or the built-in model), then the text")
      ->required();
  c->add_option("-n,--count", o->suggest.count, "How many")->capture_default_str();
  c->add_flag("--json", o->json, "Print a JSON array");
  c->callback([c, o] {
    o->threads = global_threads(*c);
    suggest(*o);
  });
}

}  // namespace bantam::cli
