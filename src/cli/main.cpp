#include <CLI/CLI.hpp>
#include <iostream>

#include "base/cpu_features.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/help.h"

namespace {

void add_globals(CLI::App& app) {
  static constexpr int kMostThreads = 1024;
  app.add_option("--threads", "Threads to compute with; without it, see `bantam isa`")
      ->check(CLI::Range(0, kMostThreads));
  app.add_flag_callback("--pin", bantam::cli::pin_threads,
                        "Keep each worker thread on a processor of its own, fast ones first");
  app.add_option_function<std::string>(
      "--isa", [](const std::string& name) { bantam::force_isa(name); },
      "Instruction set of the kernels, see `bantam isa`; also BANTAM_ISA");
  app.set_version_flag("--version", std::string("bantam ") + BANTAM_VERSION);
}

// A better message than that a subcommand is missing.
void check_command(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return;
  for (const CLI::App* command : app.get_subcommands({})) {
    if (command->check_name(argv[1])) return;
  }
  bantam::fail(bantam::ErrorKind::usage, "command",
               "expected one that `bantam --help` lists, got \"{}\"", argv[1]);
}

// Only what does not fit has a table.
std::string shown(const bantam::Error& error) {
  return error.kind() == bantam::ErrorKind::resource ? bantam::cli::printable(error.what())
                                                     : bantam::cli::one_line(error.what());
}

int exit_code(bantam::ErrorKind kind) {
  return kind == bantam::ErrorKind::usage ? 2 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Bantam: small language models, from text to device", "bantam");
  app.formatter(std::make_shared<bantam::cli::HelpFormatter>());
  app.require_subcommand(1);
  app.fallthrough();
  add_globals(app);
  for (const bantam::cli::Command& command : bantam::cli::kCommands) {
    command.add(app);
    app.get_subcommands({}).back()->group(command.group);
  }
  try {
    check_command(app, argc, argv);
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::Success& done) {  // --help, --version
    return app.exit(done);
  } catch (const CLI::ParseError& error) {
    std::cerr << "bantam: " << error.what() << "\nbantam --help tells how it is used.\n";
    return 2;
  } catch (const bantam::Error& error) {
    std::cout.flush();
    std::cerr << "bantam: " << shown(error) << "\n";
    return exit_code(error.kind());
  } catch (const std::exception& error) {
    std::cout.flush();
    std::cerr << "bantam: " << bantam::cli::one_line(error.what()) << "\n";
    return 1;
  }
}
