#include "cli/commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <memory>

#include "base/error.h"
#include "base/memory.h"
#include "cli/common.h"
#include "train/run.h"

// bantam train and bantam distill.

namespace bantam::cli {
namespace {

struct Options {
  std::string recipe, output, teacher;
  bool restart = false, json = false;
};

Json to_json(const Validation& v) {
  return {{"cross_entropy", v.cross_entropy},
          {"perplexity_token", v.perplexity_token},
          {"perplexity_word", v.perplexity_word},
          {"perplexity_byte", v.perplexity_byte}};
}

// What earlier runs of the recipe left, but not its tokenizer and shards.
void forget(const std::string& folder) {
  for (const char* name : {"checkpoint.gguf", "metrics.jsonl", "model.gguf", "report.html"}) {
    std::filesystem::remove(std::filesystem::path(folder) / name);
  }
}

RunEvents events_for(const Interrupt& interrupt) {
  RunEvents e;
  const bool terminal = isatty(STDERR_FILENO) != 0;
  e.message = [](std::string_view line) { fmt::print(stderr, "{}\n", line); };
  e.progress = [terminal](const MetricsRow& r, int64_t total, double left) {
    std::string line = fmt::format(
        "step {:>6}/{}  loss {:.4f}  lr {:.2e}  |g| {:.2f}  {:>6.0f} tokens/s  ETA {}", r.step,
        total, r.loss, r.learning_rate, r.gradient_norm, r.tokens_per_second, human_seconds(left));
    if (r.validated) {
      line +=
          fmt::format("\n  held out: perplexity {:.3f} per token, {:.2f} per word, {:.4f} per byte",
                      r.validation.perplexity_token, r.validation.perplexity_word,
                      r.validation.perplexity_byte);
    }
    // On a terminal ordinary steps overwrite each other.
    const bool keep = !terminal || r.validated;
    fmt::print(stderr, "{}{}{}", terminal ? "\r\x1b[K" : "", line, keep ? "\n" : "");
    std::fflush(stderr);
  };
  e.sample = [](int64_t, std::string_view text) { fmt::print(stderr, "  | {}\n", text); };
  e.should_stop = [&interrupt] { return interrupt.requested(); };
  return e;
}

void report(const Recipe& recipe, const RunResult& r, bool json) {
  if (json) {
    print(Json{{"finished", r.finished},
               {"model", r.model_path},
               {"steps", r.steps},
               {"seconds", r.seconds},
               {"validation", to_json(r.validation)},
               {"predicted_bytes", r.memory.total()},
               {"peak_rss_bytes", peak_resident_bytes()}});
    return;
  }
  if (!r.finished) {
    fmt::print("stopped after step {}; the same command goes on from there\n", r.steps);
    return;
  }
  fmt::print("{}: {} steps in {}, held-out perplexity {:.3f} per token\n", r.model_path, r.steps,
             human_seconds(r.seconds), r.validation.perplexity_token);
  fmt::print("curves: {}/report.html   peak memory {} (planned {})\n", recipe.output,
             human_bytes(peak_resident_bytes()), human_bytes(r.memory.total()));
}

void go(const Options& o, const CLI::App& command, bool distilling) {
  Recipe recipe = read_recipe(o.recipe);
  if (!o.output.empty()) recipe.output = o.output;
  if (!o.teacher.empty()) recipe.teacher = o.teacher;
  if (given_threads(command) > 0) recipe.trainer.threads = given_threads(command);
  if (distilling && recipe.teacher.empty()) {
    fail(ErrorKind::usage, o.recipe,
         "distill.teacher: expected a GGUF file, got none (or give --teacher)");
  }
  if (!distilling) recipe.teacher.clear();
  if (o.restart) forget(recipe.output);
  const Interrupt interrupt;
  report(recipe, run_training(recipe, events_for(interrupt)), o.json);
}

void add(CLI::App& app, const char* name, const char* description, bool distilling) {
  CLI::App* command = app.add_subcommand(name, description);
  auto o = std::make_shared<Options>();
  command->add_option("recipe", o->recipe, "The recipe, a TOML file")->required();
  command->add_option("-o,--output", o->output, "Folder for the results, instead of the recipe's");
  if (distilling) {
    command->add_option("--teacher", o->teacher, "The teacher, instead of the recipe's");
  }
  command->add_flag("--restart", o->restart, "Begin anew, even if a checkpoint is there");
  command->add_flag("--json", o->json, "Print the result as JSON");
  command->callback([o, command, distilling] { go(*o, *command, distilling); });
}

}  // namespace

void add_train(CLI::App& app) {
  add(app, "train", "Train a model from text, as a recipe says", false);
}

void add_distill(CLI::App& app) {
  add(app, "distill", "Train a small model to follow a larger one", true);
}

}  // namespace bantam::cli
