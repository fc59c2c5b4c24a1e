#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace bantam {

// What kind of thing went wrong; the CLI maps `usage` to exit code 2 and the rest to 1, the C API
// maps each to a status code.
enum class ErrorKind { usage, file, format, model, resource, internal };

// The one exception type of Bantam. The message reads `[where] expected X, got Y.`
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  [[nodiscard]] ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

// Throws `Error{kind}` with the message `[where] <formatted text>`.
//   fail(ErrorKind::format, path, "tensor \"{}\": offset {} lies outside the file", name, offset);
template <typename... Args>
[[noreturn]] void fail(ErrorKind kind, std::string_view where, fmt::format_string<Args...> text,
                       Args&&... args) {
  throw Error(kind, fmt::format("[{}] {}", where, fmt::format(text, std::forward<Args>(args)...)));
}

// A broken promise of our own code. Never used for input.
#define BANTAM_ASSERT(condition)                                                              \
  do {                                                                                        \
    if (!(condition))                                                                         \
      ::bantam::fail(::bantam::ErrorKind::internal, fmt::format("{}:{}", __FILE__, __LINE__), \
                     "assertion failed: {}", #condition);                                     \
  } while (false)

}  // namespace bantam
