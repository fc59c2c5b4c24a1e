#include <fmt/format.h>

#include <filesystem>
#include <iostream>

#include "base/error.h"
#include "base/file.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "models/model.h"
#include "text/tokenizer_files.h"

namespace bantam::cli {
namespace {

struct Options {
  std::string model, file, decode;
  std::vector<std::string> words;
  bool ids = false, no_special = false, json = false;
};

std::string text_of(const Options& o) {
  if (!o.file.empty()) return read_text_file(o.file);
  if (!o.words.empty()) return join(o.words);
  if (stdin_is_terminal()) fail(ErrorKind::usage, "tokenize", "expected a text, got none");
  return read_stdin();
}

// Bytes as a reader can see them: line ends and other control characters escaped.
std::string visible(std::string_view piece) {
  std::string text;
  for (const char c : piece) {
    if (c == '\n')
      text += "\\n";
    else if (static_cast<unsigned char>(c) < 0x20)
      text += fmt::format("\\x{:02x}", c);
    else
      text += c;
  }
  return text;
}

// Of a model, or of a tokenizer file as it stands.
std::shared_ptr<const Tokenizer> open_tokenizer(const std::string& path) {
  namespace fs = std::filesystem;
  if (fs::is_directory(path) || path.ends_with(".json") || path.ends_with(".model")) {
    return make_tokenizer(read_tokenizer_file(path), path);
  }
  // A file may hold a tokenizer and no model.
  if (path.ends_with(".gguf")) return make_tokenizer(read_tokenizer(GgufFile::open(path)), path);
  const auto model = open_model(path);
  return {model, &tokenizer_of(*model)};
}

void decode(const Options& o, const Tokenizer& tokenizer) {
  DecodeOptions options;
  options.special = !o.no_special;
  const std::string text = tokenizer.decode(parse_ids(o.decode), options);
  o.json ? print(Json{{"text", text}}) : void(std::cout << text << "\n");
}

void tokenize(const Options& o) {
  const auto opened = open_tokenizer(o.model);
  const Tokenizer& tokenizer = *opened;
  if (!o.decode.empty()) return decode(o, tokenizer);
  EncodeOptions options;
  options.special = options.parse_special = !o.no_special;
  const std::vector<int32_t> ids = tokenizer.encode(text_of(o), options);
  if (o.json) {
    Json pieces = Json::array();
    for (const int32_t id : ids) pieces.push_back(std::string(tokenizer.piece(id)));
    return print(Json{{"ids", ids}, {"pieces", pieces}});
  }
  if (o.ids) return void(std::cout << fmt::format("{}\n", fmt::join(ids, ",")));
  for (const int32_t id : ids) {
    std::cout << fmt::format("{:>7}  \"{}\"\n", id, visible(tokenizer.piece(id)));
  }
}

}  // namespace

void add_tokenize(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* c = app.add_subcommand("tokenize", "Text to tokens and back");
  c->add_option("model", o->model,
                "A .gguf file, a tokenizer.json, a tokenizer.model or a folder with one")
      ->required();
  c->add_option("text", o->words, "The text; without it, standard input");
  c->add_option("--file", o->file, "A file that holds the text");
  c->add_option("--decode", o->decode, "Print the text of these ids instead: 1,2,3");
  c->add_flag("--ids", o->ids, "Print ids only, on one line");
  c->add_flag("--no-special", o->no_special, "No BOS or EOS, control tokens are plain text");
  c->add_flag("--json", o->json, "Print a JSON object");
  c->callback([o] { tokenize(*o); });
}

}  // namespace bantam::cli
