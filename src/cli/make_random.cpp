#include <fmt/format.h>

#include <iostream>

#include "cli/commands.h"
#include "cli/common.h"
#include "compress/quantize.h"
#include "formats/gguf.h"
#include "models/random_model.h"

namespace bantam::cli {
namespace {

struct Options {
  std::string like, type = "q4_0", output, tokenizer;
  int64_t context = 0;
  uint64_t seed = 1;
};

void make_random(const Options& o) {
  ModelConfig config = known_shape(o.like);
  if (o.context > 0) config.context_length = o.context;
  std::shared_ptr<const Tokenizer> tokenizer;
  if (!o.tokenizer.empty()) {
    tokenizer = make_tokenizer(read_tokenizer(GgufFile::open(o.tokenizer)), o.tokenizer);
    config.vocab_size = tokenizer->vocab_size();
  }
  const QuantizeOptions wanted = parse_weight_types(o.type);
  const auto type_of = [&](const WeightShape& w) {
    if (!is_projection(w.name)) return DType::f32;
    return type_for_row(wanted_type(wanted, w.name, config), w.shape[-1]);
  };
  Model model = random_model(config, type_of, o.seed);
  if (tokenizer != nullptr) model.tokenizer = tokenizer;
  model.name = fmt::format("random-{}", o.like);
  save_model(model, o.output);
  std::cout << fmt::format("{}: {} parameters, {}\n", o.output, human_count(model.parameters()),
                           human_bytes(model.weight_bytes()));
}

}  // namespace

void add_make_random(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* c = app.add_subcommand("make-random", "A model with made-up weights, to measure speed");
  std::string names;
  for (const KnownShape& shape : known_shapes()) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", shape.name);
  }
  c->add_option("--like", o->like, fmt::format("The model whose shape it takes: {}", names))
      ->required();
  c->add_option("-o,--output", o->output, "The .gguf file to write")->required();
  c->add_option("--type", o->type,
                "Of the matrices: q4_0, q8_0, f16, ..., or a mixture: q4_k_m, ...")
      ->capture_default_str();
  c->add_option("--context", o->context, "Longest text in tokens; 0: the model's own")
      ->check(CLI::NonNegativeNumber);
  c->add_option("--tokenizer", o->tokenizer,
                "The .gguf file whose tokenizer it takes; else bytes and made-up words");
  c->add_option("--seed", o->seed, "The same seed gives the same weights")->capture_default_str();
  c->callback([o] { make_random(*o); });
}

}  // namespace bantam::cli
