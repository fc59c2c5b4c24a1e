#pragma once

#include <CLI/App.hpp>

namespace bantam::cli {

// Each adds one subcommand to the program; its callback does the work.
void add_bench(CLI::App& app);
void add_chat(CLI::App& app);
void add_distill(CLI::App& app);
void add_embed(CLI::App& app);
void add_import(CLI::App& app);
void add_inspect(CLI::App& app);
void add_isa(CLI::App& app);
void add_logits(CLI::App& app);
void add_make_random(CLI::App& app);
void add_pack(CLI::App& app);
void add_perplexity(CLI::App& app);
void add_profile(CLI::App& app);
void add_quantize(CLI::App& app);
void add_run(CLI::App& app);
void add_suggest(CLI::App& app);
void add_tokenize(CLI::App& app);
void add_train(CLI::App& app);
void add_train_tokenizer(CLI::App& app);

// One row per subcommand, in the order of `bantam --help`; rows of a group stand together.
struct Command {
  const char* group;
  void (*add)(CLI::App& app);
};
inline constexpr Command kCommands[] = {
    {"Use a model", add_run},
    {"Use a model", add_chat},
    {"Use a model", add_suggest},
    {"Use a model", add_embed},
    {"Use a model", add_tokenize},
    {"Make a model", add_train},
    {"Make a model", add_distill},
    {"Make a model", add_train_tokenizer},
    {"Make a model", add_import},
    {"Make a model", add_quantize},
    {"Make a model", add_pack},
    {"Measure and look inside", add_inspect},
    {"Measure and look inside", add_perplexity},
    {"Measure and look inside", add_bench},
    {"Measure and look inside", add_profile},
    {"Measure and look inside", add_make_random},
    {"Measure and look inside", add_logits},
    {"Measure and look inside", add_isa},
};

}  // namespace bantam::cli
