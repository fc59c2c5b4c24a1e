#include <fmt/format.h>

#include <filesystem>
#include <iostream>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/model_facts.h"
#include "models/import_hf.h"
#include "models/import_llama2c.h"

namespace bantam::cli {
namespace {

struct Options {
  std::string in, tokenizer, out, type;
};

void run_import(const Options& o) {
  if (std::filesystem::is_directory(o.in)) {
    if (!o.tokenizer.empty()) {
      fail(ErrorKind::usage, "import",
           "--tokenizer: expected for .bin files only, got it for a folder");
    }
    std::optional<DType> type;
    if (!o.type.empty()) type = parse_dtype(o.type, "--type");
    import_hf(o.in, o.out, type);
  } else {
    if (o.tokenizer.empty()) {
      fail(ErrorKind::usage, "import",
           "--tokenizer: expected the tokenizer.bin of the model, got none");
    }
    if (!o.type.empty()) {
      fail(ErrorKind::usage, "import", "--type: expected for folders only, got it for a file");
    }
    save_model(import_llama2c(o.in, o.tokenizer), o.out);
  }
  const auto model = std::make_shared<const Model>(load_model(o.out));
  std::cout << fmt::format("{}: {} parameters, {}\n", o.out, human_count(model->parameters()),
                           human_bytes(model->weight_bytes()));
  const std::string chat = chat_verdict(model);
  if (!chat.empty()) std::cout << "chat: " << chat << "\n";
}

}  // namespace

void add_import(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* c = app.add_subcommand("import", "Convert a Hugging Face or llama2.c model to GGUF");
  c->add_option("model", o->in, "A folder with config.json, or a .bin file of llama2.c")
      ->required();
  c->add_option("-o,--output", o->out, "The .gguf file to write")->required();
  c->add_option("--type", o->type, "Of matrices: f32, f16, bf16, q8_0, ...; else as they are");
  c->add_option("--tokenizer", o->tokenizer, "The tokenizer.bin of a llama2.c model");
  c->callback([o] { run_import(*o); });
}

}  // namespace bantam::cli
