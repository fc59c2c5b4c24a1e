#pragma once

#include <sys/wait.h>

#include <cstdio>
#include <string>

// Runs the program as a user would. Only where the build has a program (BANTAM_PROGRAM).

#ifdef BANTAM_PROGRAM
namespace bantam {

struct Outcome {
  int code = -1;
  std::string output;
};

// A shell command; what it prints.
inline Outcome run_command(const std::string& command) {
  Outcome outcome;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return outcome;
  char buffer[4096];
  for (size_t n = 0; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
    outcome.output.append(buffer, n);
  }
  const int status = pclose(pipe);
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

// Standard output and error together.
inline Outcome bantam(const std::string& arguments, const std::string& input = "") {
  const std::string from = input.empty() ? "</dev/null" : "";
  const std::string feed = input.empty() ? "" : "printf '" + input + "' | ";
  return run_command(feed + "'" BANTAM_PROGRAM "' --threads 1 " + arguments + " 2>&1 " + from);
}

}  // namespace bantam
#endif
