#pragma once

#include <memory>
#include <optional>
#include <string>

namespace bantam::cli {

// Reads what a person types: with editing and history on a terminal, plain lines otherwise.
class LineEditor {
 public:
  LineEditor();
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  // One message, without its line end; a backslash at the end of a line goes on with the next one.
  // Nothing at the end of the input. Ctrl-C gives an empty message.
  std::optional<std::string> read(const std::string& prompt);
  // The next read() starts with this text, to be edited. Does nothing without a terminal.
  void offer(const std::string& text);
  [[nodiscard]] bool interactive() const;

 private:
  struct Terminal;
  std::optional<std::string> read_line(const std::string& prompt);
  std::unique_ptr<Terminal> terminal_;  // null without one
};

}  // namespace bantam::cli
