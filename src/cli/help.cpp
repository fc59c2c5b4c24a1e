#include "cli/help.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace bantam::cli {
namespace {

std::string commands_by_group(const CLI::App& app) {
  size_t width = 0;
  for (const CLI::App* c : app.get_subcommands({})) width = std::max(width, c->get_name().size());
  std::string text;
  std::vector<std::string> groups;  // in the order of kCommands
  for (const CLI::App* c : app.get_subcommands({})) {
    if (std::find(groups.begin(), groups.end(), c->get_group()) == groups.end())
      groups.push_back(c->get_group());
  }
  for (const std::string& group : groups) {
    std::string lines;
    for (const CLI::App* c : app.get_subcommands({})) {
      if (c->get_group() != group) continue;
      lines += fmt::format("  {:<{}}  {}\n", c->get_name(), width, c->get_description());
    }
    if (!lines.empty()) text += fmt::format("\n{}:\n{}", group, lines);
  }
  return text;
}

}  // namespace

HelpFormatter::HelpFormatter() {
  column_width(34);
}

std::string HelpFormatter::make_help(const CLI::App* app, std::string name,
                                     CLI::AppFormatMode mode) const {
  if (app->get_parent() != nullptr) return CLI::Formatter::make_help(app, name, mode);
  std::string text = app->get_description() + "\n\n";
  text += "Usage: bantam COMMAND [OPTIONS] [ARGUMENTS]\n";
  text += commands_by_group(*app);
  text +=
      "\nExamples:\n"
      "  bantam run \"The little dog was happy because\"\n"
      "  bantam quantize model.gguf small.gguf --type q4_k --text valid.txt\n"
      "  bantam perplexity small.gguf --text valid.txt --compare model.gguf\n";
  text += make_groups(app, mode);
  text += "\n`bantam COMMAND --help` shows the options of a command.\n";
  return text;
}

}  // namespace bantam::cli
