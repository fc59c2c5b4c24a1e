#include <fmt/format.h>

#include <iostream>

#include "cli/commands.h"
#include "cli/common.h"
#include "models/import_llama2c.h"

namespace bantam::cli {

void add_import(CLI::App& app) {
  struct Options {
    std::string in, tokenizer, out;
  };
  auto o = std::make_shared<Options>();
  CLI::App* c = app.add_subcommand("import", "Convert a llama2.c model to GGUF");
  c->add_option("model", o->in, "A .bin file of llama2.c, version 0 or 1")->required();
  c->add_option("--tokenizer", o->tokenizer, "Its tokenizer.bin")->required();
  c->add_option("-o,--output", o->out, "The .gguf file to write")->required();
  c->callback([o] {
    const Model model = import_llama2c(o->in, o->tokenizer);
    save_model(model, o->out);
    std::cout << fmt::format("{}: {} parameters, {}\n", o->out, human_count(model.parameters()),
                             human_bytes(model.weight_bytes()));
  });
}

}  // namespace bantam::cli
