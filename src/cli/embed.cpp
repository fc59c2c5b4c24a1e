#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "base/error.h"
#include "base/file.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "runtime/embedder.h"

namespace bantam::cli {
namespace {

struct Options {
  std::string model, ids, file, prefix, pooling;
  std::vector<std::string> texts;
  EmbedOptions embed;
  bool raw = false, json = false;
};

Pooling parse_pooling(const std::string& name) {
  if (name == "mean") return Pooling::mean;
  if (name == "first") return Pooling::first;
  if (name == "last") return Pooling::last;
  fail(ErrorKind::usage, "--pooling", "expected mean, first or last, got \"{}\"", name);
}

void show(const std::vector<float>& v, bool json) {
  if (json) {
    std::cout << Json(v).dump() << "\n";
    return;
  }
  std::string line;
  for (const float x : v) line += fmt::format("{}{:.6f}", line.empty() ? "" : " ", x);
  std::cout << line << "\n";
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    if (end > at) lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

void embed(Options& o) {
  if (!o.pooling.empty()) o.embed.pooling = parse_pooling(o.pooling);
  if (o.raw) o.embed.normalise = false;
  if (!o.file.empty()) o.texts = lines_of(read_text_file(o.file));
  if (o.texts.empty() && o.ids.empty()) {
    fail(ErrorKind::usage, "embed", "expected a text, --text or --ids, got none");
  }
  Embedder embedder(open_model(o.model), o.embed);
  if (!o.ids.empty()) return show(embedder.embed(parse_ids(o.ids)), o.json);
  for (const std::string& text : o.texts) show(embedder.embed(o.prefix + text), o.json);
}

}  // namespace

void add_embed(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* c = app.add_subcommand("embed", "Texts as vectors, by an encoder such as BERT or BGE");
  c->add_option("model", o->model, "A .gguf file")->required();
  c->add_option("texts", o->texts, "One vector is printed for each");
  c->add_option("-f,--text", o->file, "A file with a text on each line");
  c->add_option("--ids", o->ids, "Token ids in place of a text: 1,2,3");
  c->add_option("--prefix", o->prefix, "Goes before each text, as some models want it");
  c->add_option("--prompt", o->embed.prompt, "One of the model's own prompts, by name: query");
  c->add_option("--pooling", o->pooling, "mean, first or last token; without it, the model's own");
  c->add_option("--context", o->embed.context, "Longest text, in tokens");
  c->add_flag("--raw", o->raw, "Vectors as they are, not of length 1");
  c->add_flag("--json", o->json, "Print JSON arrays");
  c->callback([c, o] {
    o->embed.threads = global_threads(*c);
    embed(*o);
  });
}

}  // namespace bantam::cli
