#pragma once

#include <CLI/App.hpp>

namespace bantam::cli {

// Each adds one subcommand to the program; its callback does the work.
void add_run(CLI::App& app);
void add_logits(CLI::App& app);
void add_perplexity(CLI::App& app);
void add_train(CLI::App& app);
void add_distill(CLI::App& app);

// One row per subcommand, in the order of `bantam --help`; rows of a group stand together.
struct Command {
  const char* group;
  void (*add)(CLI::App& app);
};
inline constexpr Command kCommands[] = {
    {"Use a model", add_run},    {"Make a model", add_train}, {"Make a model", add_distill},
    {"Measure", add_perplexity}, {"Measure", add_logits},
};

}  // namespace bantam::cli
